"""Audit records of Microsoft 365: names spelt, addresses without their ports, outcomes told in one word."""

import re
from typing import Any

import orjson

from breachwatch.sources.services.clouds import Fields, spelt

MADE = frozenset({"ocsf.status", "ocsf.src_endpoint.ip", "ocsf.src_endpoint.port", "ParameterTexts"})
"""Native paths whose text need not stand in the record."""

_spelt = spelt(
    "Operation",
    """CreationTime Id OrganizationId RecordType ResultStatus UserKey UserType Version Workload ClientIP ObjectId UserId
    AppId ClientAppId ExternalAccess OrganizationName OriginatingServer Parameters SessionId ExtendedProperties
    ModifiedProperties Actor ActorContextId ActorIpAddress InterSystemsId IntraSystemId SupportTicketId Target
    TargetContextId ApplicationId DeviceProperties ErrorNumber LogonError EventSource ItemType ListId Site SiteUrl
    SourceFileExtension SourceFileName SourceRelativeUrl UserAgent WebId TargetUserOrGroupName TargetUserOrGroupType
    EventData AppAccessContext MailboxOwnerUPN MailboxGuid LogonType ClientInfoString ClientIPAddress Folders
    AffectedItems OperationProperties OperationCount Item PolicyDetails SensitiveInfoDetectionIsIncluded""",
)
_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::(\d{1,5}))?|(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?", re.ASCII)
_ENDED = {
    "success": "Success",
    "succeeded": "Success",
    "partiallysucceeded": "Success",
    "true": "Success",
    "failed": "Failure",
    "failure": "Failure",
    "false": "Failure",
}


def m365(fields: Fields) -> Fields:
    """An audit record, with `ParameterTexts` beside its `Parameters` (each `{"Name":...,"Value":...}` as text)."""
    fields = _spelt(fields)
    _located(fields)
    status = _status(fields)
    if status is not None:
        fields["ocsf.status"] = status
    parameters = fields.get("Parameters")
    if isinstance(parameters, list) and parameters:
        fields["ParameterTexts"] = [
            each if isinstance(each, str) else orjson.dumps(each).decode() for each in parameters
        ]
    elif isinstance(parameters, str):
        fields["ParameterTexts"] = parameters
    return fields


def _located(fields: Fields) -> None:
    """`203.0.113.7:4711` and `[2001:db8::7]:4711` are an address and a port; an address alone stays one."""
    for name in ("ClientIP", "ClientIPAddress", "ActorIpAddress"):
        written = fields.get(name)
        if not isinstance(written, str) or not written:
            continue
        found = _ADDRESS.fullmatch(written)
        if found is None:
            fields["ocsf.src_endpoint.ip"] = written
            return
        fields["ocsf.src_endpoint.ip"] = (found[1] or found[3]).removeprefix("::ffff:")
        port = found[2] or found[4]
        if port:
            fields["ocsf.src_endpoint.port"] = int(port)
        return


def _status(fields: Fields) -> Any:
    # A failed sign-in may be written as UserLoginFailed with the ResultStatus "Success": the request, not the login.
    operation = fields.get("Operation")
    if operation == "UserLoginFailed":
        return "Failure"
    if operation == "UserLoggedIn":
        return "Success"
    told = fields.get("ResultStatus")
    return _ENDED.get(str(told).lower()) if isinstance(told, str | bool) else None
