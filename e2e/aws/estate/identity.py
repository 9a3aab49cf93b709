"""People, groups, roles and what they may do."""

import json

from aws import ACCOUNT, tags

PEOPLE = [
    # Name, path, groups, whether they sign in with a password, and how many access keys they have.
    ("ada", "/engineering/", ["engineers", "administrators"], True, 1),
    ("barbara", "/engineering/", ["engineers"], True, 2),
    ("kathleen", "/engineering/", ["engineers"], True, 0),
    ("dennis", "/engineering/", ["engineers", "operators"], True, 1),
    ("edsger", "/research/", ["analysts"], True, 0),
    ("frances", "/research/", ["analysts"], True, 1),
    ("grace", "/operations/", ["operators"], True, 1),
    ("hedy", "/operations/", ["operators", "administrators"], True, 0),
    ("deploy-bot", "/robots/", [], False, 2),
    ("backup-bot", "/robots/", [], False, 1),
    ("legacy-report", "/robots/", [], False, 1),
    ("auditor", "/", [], True, 0),
]
GROUPS = {
    "administrators": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    "engineers": ["arn:aws:iam::aws:policy/PowerUserAccess"],
    "operators": ["arn:aws:iam::aws:policy/AmazonEC2FullAccess", "arn:aws:iam::aws:policy/CloudWatchFullAccess"],
    "analysts": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
}
SERVERS = {
    "bastion": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
    "web": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
    "app": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
    "database": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
}
THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"
SSH_KEY = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC5tQ0n1u7vVZk1b1yqkq0m3m2n0f8m3o4e9a2m6r8w1k0c5v7h9s2d4f6g8j1l3z5x7c9v"
    "1b3n5m7q9w2e4r6t8y1u3i5o7p9a2s4d6f8g1h3j5k7l9z2x4c6v8b1n3m5q7w9e2r4t6y8u1i3o5p7a9s2d4f6g8h1j3k5l7z9 ada"
)


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(**principal):
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def build(aws, managed):
    """Builds the account's identities. `managed` says whether moto was started with AWS's own policies."""
    iam = aws.client("iam")
    own = policies(iam)
    groups(iam, managed, own)
    people(iam, managed, own)
    roles(iam, managed, own)
    providers(iam)
    iam.create_account_alias(AccountAlias="headwater-demo")
    iam.update_account_password_policy(
        MinimumPasswordLength=14,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
        MaxPasswordAge=365,
        PasswordReusePrevention=12,
        HardExpiry=False,
    )
    iam.generate_credential_report()
    return len(PEOPLE)


def policies(iam):
    """Policies of our own, one of them with a history."""
    made = {}
    for name, path, says, text in (
        ("orders-read", "/orders/", "Reads the order archive", document(allow(["s3:GetObject", "s3:ListBucket"]))),
        ("orders-write", "/orders/", "Writes the order archive", document(allow("s3:PutObject"))),
        ("backup", "/", "Makes and forgets snapshots", document(allow(["ec2:CreateSnapshot", "ec2:DeleteSnapshot"]))),
        ("boundary", "/", "The most that anyone may do", document(allow("*"))),
        ("unused", "/", "Nobody has it", document(allow("sns:Publish"))),
    ):
        made[name] = iam.create_policy(
            PolicyName=name, Path=path, Description=says, PolicyDocument=text, Tags=tags(name)
        )["Policy"]["Arn"]
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    for action in ("s3:GetObject", ["s3:GetObject", "s3:GetObjectVersion"]):
        iam.create_policy_version(
            PolicyArn=made["orders-read"], PolicyDocument=document(allow(action, Condition=mfa)), SetAsDefault=True
        )
    return made


def groups(iam, managed, own):
    for name, attached in GROUPS.items():
        iam.create_group(GroupName=name, Path="/people/")
        for arn in attached if managed else []:
            iam.attach_group_policy(GroupName=name, PolicyArn=arn)
    iam.attach_group_policy(GroupName="analysts", PolicyArn=own["orders-read"])
    iam.put_group_policy(
        GroupName="operators", PolicyName="console", PolicyDocument=document(allow("ec2:GetConsole*"))
    )
    iam.put_group_policy(
        GroupName="engineers",
        PolicyName="no-billing",
        PolicyDocument=document({"Effect": "Deny", "Action": "aws-portal:*", "Resource": "*"}),
    )


def people(iam, managed, own):
    for index, (name, path, member_of, password, keys) in enumerate(PEOPLE):
        boundary = {"PermissionsBoundary": own["boundary"]} if path == "/robots/" else {}
        iam.create_user(UserName=name, Path=path, Tags=tags(name, Started=f"{2015 + index}"), **boundary)
        for group in member_of:
            iam.add_user_to_group(UserName=name, GroupName=group)
        if password:
            iam.create_login_profile(UserName=name, Password=f"Correct-Horse-{index:04}!", PasswordResetRequired=False)
        for number in range(keys):
            key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
            if number == 1:
                iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    iam.attach_user_policy(UserName="backup-bot", PolicyArn=own["backup"])
    iam.attach_user_policy(UserName="deploy-bot", PolicyArn=own["orders-write"])
    if managed:
        iam.attach_user_policy(UserName="auditor", PolicyArn="arn:aws:iam::aws:policy/SecurityAudit")
    iam.put_user_policy(
        UserName="deploy-bot", PolicyName="release", PolicyDocument=document(allow("ecs:UpdateService"))
    )
    iam.put_user_policy(
        UserName="legacy-report", PolicyName="read", PolicyDocument=document(allow("s3:Get*", Condition={}))
    )
    for name in ("ada", "hedy"):
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, Path="/")["VirtualMFADevice"]
        iam.enable_mfa_device(
            UserName=name,
            SerialNumber=device["SerialNumber"],
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        )
    iam.create_virtual_mfa_device(VirtualMFADeviceName="spare", Path="/", Tags=tags("spare"))
    iam.upload_ssh_public_key(UserName="ada", SSHPublicKeyBody=SSH_KEY)
    iam.upload_signing_certificate(UserName="deploy-bot", CertificateBody=certificate("deploy-bot"))


def roles(iam, managed, own):
    for name, attached in SERVERS.items():
        role = f"{name}-server"
        iam.create_role(
            RoleName=role,
            Path="/servers/",
            Description=f"What a {name} server may do",
            AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"),
            MaxSessionDuration=7200,
            Tags=tags(role, Role=name),
        )
        for arn in attached if managed else []:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        iam.create_instance_profile(InstanceProfileName=role, Path="/servers/", Tags=tags(role))
        iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    iam.put_role_policy(
        RoleName="app-server", PolicyName="queues", PolicyDocument=document(allow(["sqs:Receive*", "sqs:Delete*"]))
    )
    iam.attach_role_policy(RoleName="app-server", PolicyArn=own["orders-write"])
    iam.put_role_permissions_boundary(RoleName="bastion-server", PermissionsBoundary=own["boundary"])
    for name, service in (
        ("flow-logs", "vpc-flow-logs.amazonaws.com"),
        ("replication", "s3.amazonaws.com"),
        ("spot-fleet", "spotfleet.amazonaws.com"),
    ):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(Service=service), Tags=tags(name))
    iam.create_role(
        RoleName="auditors-from-outside",
        AssumeRolePolicyDocument=document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "a-shared-word"}},
            }
        ),
    )
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", Description="Made by AWS itself")


def providers(iam):
    """Those who vouch for people from elsewhere, and the certificate of an old load balancer."""
    metadata = (
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://login.example.com/saml">'
        + "<!-- an identity provider of a house that does not exist -->" * 20
        + "</EntityDescriptor>"
    )
    iam.create_saml_provider(Name="corporate", SAMLMetadataDocument=metadata, Tags=tags("corporate"))
    for url, client in (
        ("https://token.actions.example.com", "sts.amazonaws.com"),
        ("https://oidc.eks.us-east-1.example.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE", "kubernetes"),
    ):
        iam.create_open_id_connect_provider(
            Url=url, ClientIDList=[client], ThumbprintList=[THUMBPRINT], Tags=tags(client)
        )
    iam.upload_server_certificate(
        ServerCertificateName="shop",
        Path="/balancers/",
        CertificateBody=certificate("shop.example.com"),
        PrivateKey="-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----",
        Tags=tags("shop"),
    )


def certificate(name):
    """A certificate that signs itself. Its key is forgotten at once."""
    from datetime import datetime, timezone

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(name.encode()[:8], "big"))
        .not_valid_before(datetime(2026, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=timezone.utc))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
