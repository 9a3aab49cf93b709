//! AWS Identity and Access Management.

mod document;
#[rustfmt::skip]
pub mod generated;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::EntityType;
use headwater_aws_base::{GLOBAL, Scope, Scopes, Table};
use headwater_sdk::RawJson;
use headwater_sdk::types::KeyValues;

use document::{document, policy_tags, versions};
use generated::*;

/// IAM answers for the whole account.
pub const SCOPES: Scopes = GLOBAL;

/// Users.
#[derive(Table)]
#[table(name = "aws_iam_users", of = User, list = client.list_users(), get = client.get_user().user_name(&row.user_name), key = arn,
        ignore = "NoSuchEntity")]
pub struct Users;

/// Access keys of each user; the secrets are nowhere to be read.
#[derive(Table)]
#[table(name = "aws_iam_user_access_keys", of = AccessKeyMetadata, parent = Users, key = [user_arn, access_key_id],
        list = client.list_access_keys().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct UserAccessKeys {
    #[column(get = client.get_access_key_last_used().set_access_key_id(row.access_key_id.clone()), flatten,
             prefix = "last_used_", ignore = "NoSuchEntity")]
    last_used: Option<AccessKeyLastUsed>,
}

/// Managed policies that are attached to each user.
#[derive(Table)]
#[table(name = "aws_iam_user_attached_policies", of = AttachedPolicy, parent = Users, key = [user_arn, policy_arn],
        list = client.list_attached_user_policies().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct UserAttachedPolicies;

/// Groups that each user is a member of.
#[derive(Table)]
#[table(name = "aws_iam_user_groups", of = Group, parent = Users, key = [user_arn, arn],
        list = client.list_groups_for_user().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct UserGroups;

/// Policies that are written into each user.
#[derive(Table)]
#[table(name = "aws_iam_user_policies", of = GetUserPolicyOutput, parent = Users, key = [user_arn, policy_name],
        list = client.list_user_policies().user_name(&parent.user_name), ignore = "NoSuchEntity",
        get = client.get_user_policy().user_name(&parent.user_name).policy_name(&row.value))]
pub struct UserPolicies {
    /// The policy.
    #[column(value = document(&row.policy_document))]
    policy_document: RawJson,
}

/// MFA devices of each user, virtual ones and those of hardware.
#[derive(Table)]
#[table(name = "aws_iam_user_mfa_devices", of = MfaDevice, parent = Users, key = [user_arn, serial_number],
        list = client.list_mfa_devices().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct UserMfaDevices;

/// Certificates by which each user signs requests.
#[derive(Table)]
#[table(name = "aws_iam_signing_certificates", of = SigningCertificate, parent = Users, key = [user_arn, certificate_id],
        list = client.list_signing_certificates().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct SigningCertificates;

/// SSH public keys of each user.
#[derive(Table)]
#[table(name = "aws_iam_ssh_public_keys", of = SshPublicKeyMetadata, parent = Users, key = [user_arn, ssh_public_key_id],
        list = client.list_ssh_public_keys().user_name(&parent.user_name), ignore = "NoSuchEntity")]
pub struct SshPublicKeys;

/// Groups of users.
#[derive(Table)]
#[table(name = "aws_iam_groups", of = Group, list = client.list_groups(), key = arn)]
pub struct Groups;

/// Managed policies that are attached to each group.
#[derive(Table)]
#[table(name = "aws_iam_group_attached_policies", of = AttachedPolicy, parent = Groups, key = [group_arn, policy_arn],
        list = client.list_attached_group_policies().group_name(&parent.group_name), ignore = "NoSuchEntity")]
pub struct GroupAttachedPolicies;

/// Policies that are written into each group.
#[derive(Table)]
#[table(name = "aws_iam_group_policies", of = GetGroupPolicyOutput, parent = Groups, key = [group_arn, policy_name],
        list = client.list_group_policies().group_name(&parent.group_name), ignore = "NoSuchEntity",
        get = client.get_group_policy().group_name(&parent.group_name).policy_name(&row.value))]
pub struct GroupPolicies {
    /// The policy.
    #[column(value = document(&row.policy_document))]
    policy_document: RawJson,
}

/// Roles.
#[derive(Table)]
#[table(name = "aws_iam_roles", of = Role, list = client.list_roles(), get = client.get_role().role_name(&row.role_name), key = arn,
        ignore = "NoSuchEntity")]
pub struct Roles {
    /// The policy that says who may assume the role.
    #[column(value = row.assume_role_policy_document.as_deref().map(document))]
    assume_role_policy_document: Option<RawJson>,
}

/// Managed policies that are attached to each role.
#[derive(Table)]
#[table(name = "aws_iam_role_attached_policies", of = AttachedPolicy, parent = Roles, key = [role_arn, policy_arn],
        list = client.list_attached_role_policies().role_name(&parent.role_name), ignore = "NoSuchEntity")]
pub struct RoleAttachedPolicies;

/// Policies that are written into each role.
#[derive(Table)]
#[table(name = "aws_iam_role_policies", of = GetRolePolicyOutput, parent = Roles, key = [role_arn, policy_name],
        list = client.list_role_policies().role_name(&parent.role_name), ignore = "NoSuchEntity",
        get = client.get_role_policy().role_name(&parent.role_name).policy_name(&row.value))]
pub struct RolePolicies {
    /// The policy.
    #[column(value = document(&row.policy_document))]
    policy_document: RawJson,
}

/// Managed policies with their versions: those of the account, and those of AWS that are in use.
#[derive(Table)]
#[table(name = "aws_iam_policies", of = ManagedPolicyDetail, key = [account_id, arn],
        list = client.get_account_authorization_details().filter(EntityType::LocalManagedPolicy).filter(EntityType::AwsManagedPolicy))]
pub struct Policies {
    /// The versions, each with its document.
    #[column(value = versions(row.policy_version_list.as_deref()))]
    policy_version_list: Option<Vec<PolicyVersion>>,
    /// Tags; policies of AWS have none.
    #[column(get = policy_tags(client, row), ignore = "NoSuchEntity")]
    tags: Option<KeyValues<Tag>>,
}

/// Instance profiles with their roles.
#[derive(Table)]
#[table(name = "aws_iam_instance_profiles", of = InstanceProfile, list = client.list_instance_profiles(), key = arn, ignore = "NoSuchEntity",
        get = client.get_instance_profile().instance_profile_name(&row.instance_profile_name))]
pub struct InstanceProfiles;

/// Identity providers of the OpenID Connect kind.
#[derive(Table)]
#[table(name = "aws_iam_openid_connect_identity_providers", of = GetOpenIdConnectProviderOutput, key = [account_id, url],
        list = client.list_open_id_connect_providers(), ignore = "NoSuchEntity",
        get = client.get_open_id_connect_provider().set_open_id_connect_provider_arn(row.arn.clone()))]
pub struct OpenIdConnectIdentityProviders {
    #[column(value = row.url.as_ref().map(|url| document::oidc_arn(scope, url)))]
    arn: Option<String>,
}

/// Identity providers of the SAML kind.
#[derive(Table)]
#[table(name = "aws_iam_saml_identity_providers", of = SamlProviderListEntry, list = client.list_saml_providers(), key = arn,
        skip = [create_date, valid_until])]
pub struct SamlIdentityProviders {
    #[column(get = client.get_saml_provider().set_saml_provider_arn(row.arn.clone()), flatten, ignore = "NoSuchEntity")]
    detail: Option<GetSamlProviderOutput>,
}

/// Certificates of servers that IAM keeps.
#[derive(Table)]
#[table(name = "aws_iam_server_certificates", of = ServerCertificateMetadata, list = client.list_server_certificates(), key = arn)]
pub struct ServerCertificates;

/// What the account asks of passwords.
#[derive(Table)]
#[table(name = "aws_iam_password_policies", of = PasswordPolicy, get = client.get_account_password_policy(), key = account_id,
        ignore = "NoSuchEntity")]
pub struct PasswordPolicies;

/// Virtual MFA devices; their seeds are nowhere to be read.
#[derive(Table)]
#[table(name = "aws_iam_virtual_mfa_devices", of = VirtualMfaDevice, list = client.list_virtual_mfa_devices(), key = serial_number)]
pub struct VirtualMfaDevices;
