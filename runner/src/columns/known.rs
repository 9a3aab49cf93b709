//! Places that are known to hold secrets though their API may not mark them, by CloudQuery's names of the tables.
//!
//! What an API marks itself comes with the schema ([`headwater_sdk::Column::sensitive`] and `secrets`). This list is for
//! the rest: start-up scripts and the environment of programs, in which passwords are kept against all advice, and
//! links that let anyone in who has them.

/// Patterns of tables, and the places within them.
pub const KNOWN: [(&str, &str); 17] = [
    ("aws_*", "user_data"),
    ("aws_amplify_apps", "basic_auth_credentials"),
    ("aws_amplify_*", "environment_variables.*"),
    ("aws_apprunner_services", "source_configuration..RuntimeEnvironmentVariables.*"),
    ("aws_batch_job_definitions", "container_properties.Environment[*].Value"),
    ("aws_batch_job_definitions", "eks_properties..Env[*].Value"),
    ("aws_batch_job_definitions", "node_properties..Environment[*].Value"),
    ("aws_codebuild_*", "environment.EnvironmentVariables[*].Value"),
    ("aws_ecs_task_definitions", "container_definitions[*].Environment[*].Value"),
    ("aws_ecs_cluster_tasks", "overrides.ContainerOverrides[*].Environment[*].Value"),
    ("aws_lambda_functions", "code.Location"),
    ("aws_lambda_functions", "configuration.Environment.Variables.*"),
    ("aws_lambda_function_versions", "environment.Variables.*"),
    ("aws_sagemaker_models", "containers[*].Environment.*"),
    ("aws_sagemaker_models", "primary_container.Environment.*"),
    ("aws_sagemaker_training_jobs", "environment.*"),
    ("aws_sagemaker_processing_jobs", "environment.*"),
];

/// Places that an API marks as secret and that are none: the name of a key is not the key, and whoever takes stock of
/// buckets asks for it.
pub const HARMLESS: [(&str, &str); 1] =
    [("aws_s3_bucket_encryption_rules", "apply_server_side_encryption_by_default.KMSMasterKeyID")];
