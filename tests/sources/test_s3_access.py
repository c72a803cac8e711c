"""S3's access log: a line, its columns, and what the request did in one word."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Fields = dict[str, Any]
LINE = (
    "79a59df900b949e5 customers-bucket [27/Mar/2026:13:06:56 +0000] 192.0.2.7 "
    "arn:aws:iam::111122223333:user/ana 3E57427F3EXAMPLE REST.GET.OBJECT exports/customers.csv "
    '"GET /customers-bucket/exports/customers.csv?versionId=1 HTTP/1.1" 200 - 113 4096 7 6 "-" '
    '"Mozilla/5.0 (a \\"b\\" c)" - s9lzHYrFp76ZVxRcpX9= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader '
    "customers-bucket.s3.eu-west-3.amazonaws.com TLSv1.3 - -"
)


def test_a_line_is_read_by_its_columns(fields: Callable[..., Fields], at: Callable[..., str]) -> None:
    found = fields("aws-s3-access", LINE)
    assert (found["bucket"], found["key"], found["operation"]) == (
        "customers-bucket",
        "exports/customers.csv",
        "REST.GET.OBJECT",
    )
    assert (found["httpstatus"], found["bytessent"], found["objectsize"]) == (200, 113, 4096)
    assert found["useragent"] == 'Mozilla/5.0 (a \\"b\\" c)'
    assert found["tlsversion"] == "TLSv1.3"
    assert "errorcode" not in found, "- is absent"
    assert at("aws-s3-access", LINE, timezone="Europe/Paris") == "2026-03-27T13:06:56Z"


def test_ocsf_tells_who_read_what(parse: Callable[..., Any], source: Callable[..., Any]) -> None:
    ocsf = source("aws-s3-access").to_ocsf(parse("aws-s3-access", LINE))
    assert (ocsf["status"], ocsf["activity_name"]) == ("Success", "read")
    assert ocsf["actor"]["user"]["uid"] == "arn:aws:iam::111122223333:user/ana"
    assert (ocsf["resources"]["name"], ocsf["traffic"]["bytes_out"]) == ("customers-bucket", 113)
    refused = parse("aws-s3-access", LINE.replace(" 200 - 113", " 403 AccessDenied 243"))
    assert source("aws-s3-access").to_ocsf(refused)["status"] == "Failure"


def test_lines_of_older_and_of_later_years_are_read(fields: Callable[..., Fields]) -> None:
    older = LINE.split(" SigV4", maxsplit=1)[0]
    assert "tlsversion" not in fields("aws-s3-access", older)
    assert fields("aws-s3-access", LINE + " new-field 2")["rest"] == "new-field 2"


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("REST.GET.OBJECT", "read"),
        ("REST.HEAD.OBJECT", "read"),
        ("REST.GET.BUCKET", "list"),
        ("REST.PUT.OBJECT", "write"),
        ("REST.COPY.OBJECT_GET", "write"),
        ("REST.DELETE.OBJECT", "delete"),
        ("BATCH.DELETE.OBJECT", "delete"),
        ("REST.PUT.ACL", "permissions"),
        ("REST.GET.ACL", "read"),
        ("REST.PUT.BUCKETPOLICY", "permissions"),
        ("WEBSITE.GET.OBJECT", "read"),
        ("S3.EXPIRE.OBJECT", "other"),  # a lifecycle rule, nobody's request
    ],
)
def test_a_request_is_one_word(operation: str, action: str, fields: Callable[..., Fields]) -> None:
    assert fields("aws-s3-access", LINE.replace("REST.GET.OBJECT", operation))["action"] == action


def test_the_same_as_an_object_with_athenas_or_plain_names(
    fields: Callable[..., Fields], at: Callable[..., str]
) -> None:
    plain = {"bucket": "b", "time": "2026-03-27 13:06:56.000000000", "remoteip": "192.0.2.7", "httpstatus": "403"}
    athena = {"bucket_name": "b", "requestdatetime": "27/Mar/2026:13:06:56 +0000", "RemoteIP": "192.0.2.7", "key": "-"}
    for record in (plain, athena):
        found = fields("aws-s3-access", json.dumps({**record, "operation": "REST.GET.OBJECT"}))
        assert (found["bucket"], found["remoteip"], found["action"]) == ("b", "192.0.2.7", "read")
        assert "key" not in found
        assert at("aws-s3-access", json.dumps(record)) == "2026-03-27T13:06:56Z"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "blank line"),
        ("hello world", "not an S3 access log line"),
        (LINE.replace("27/Mar", "31/Feb"), "bad time"),
        (LINE.replace("27/Mar/2026", "today"), "bad time"),
        ("[] " * 12, "not an S3 access log line"),
    ],
)
def test_what_cannot_be_read_says_why(line: str, reason: str, parse: Callable[..., Any]) -> None:
    assert parse("aws-s3-access", line).reason == reason
