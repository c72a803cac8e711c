"""What the clouds' audit records are brought to, where one kind of record is written in more than one way.

Collectors write the same record with its keys in lower case, or within an envelope of their own; Microsoft writes the
same sign-in in three shapes. Each function here takes the fields as they came and gives them under one set of names.
"""

from collections.abc import Callable
from typing import Any

from breachwatch.sources.formats.json_text import read_object

Fields = dict[str, Any]


def spelt(sure: str, names: str) -> Callable[[Fields], Fields]:
    """A function that gives top-level keys their upper-case letters back.

    Args:
        sure: a key that every record has; where it is there, the record is taken to be spelt as it should be.
        names: the keys as they should be, with blanks between.
    """
    known = {name.lower(): name for name in (sure, *names.split()) if name != name.lower()}

    def spell(fields: Fields) -> Fields:
        if sure in fields:
            return fields
        for key in [key for key in fields if key in known and known[key] not in fields]:
            fields[known[key]] = fields.pop(key)
        return fields

    return spell


_cloudtrail = spelt(
    "eventName",
    """eventVersion eventTime eventSource eventType eventID eventCategory awsRegion sourceIPAddress userAgent
    userIdentity requestParameters responseElements errorCode errorMessage requestID recipientAccountId readOnly
    managementEvent additionalEventData apiVersion sharedEventID vpcEndpointId tlsDetails serviceEventDetails
    sessionCredentialFromConsole vpcEndpointAccountId""",
)


def cloudtrail(fields: Fields) -> Fields:
    """An event of AWS CloudTrail."""
    return _cloudtrail(fields)


_okta = spelt(
    "eventType",
    """displayMessage legacyEventType authenticationContext securityContext debugContext""",
)


def okta(fields: Fields) -> Fields:
    """An event of Okta's system log."""
    return _okta(fields)


_gcp = spelt("protoPayload", "logName insertId receiveTimestamp traceSampled spanId")


def gcp(fields: Fields) -> Fields:
    """An audit entry of Google Cloud, perhaps within the `data` of a message that carries it."""
    data = fields.get("data")
    if isinstance(data, dict) and "protoPayload" in data:
        fields = data
    return _gcp(fields)


def workspace(fields: Fields) -> Fields:
    """An activity of Google Workspace, of its reports API or as Cloud Logging carries it.

    An activity may tell of several events: then `name` and `type` are lists, and `parameters` those of all of them.
    """
    payload = fields.get("protoPayload")
    if isinstance(payload, dict):
        return _workspace_logged(fields, payload)
    events = fields.get("events")
    if isinstance(events, list):
        _workspace_events(fields, events, "name", "type", "parameters")
    elif isinstance(fields.get("parameters"), list):
        fields["parameters"] = _parameters(fields["parameters"])
    told = fields.get("id")
    application = told.get("applicationName") if isinstance(told, dict) else None
    if isinstance(application, str) and application:
        fields["eventService"] = f"{application}.googleapis.com"
    return fields


def _workspace_logged(fields: Fields, payload: Fields) -> Fields:
    metadata = payload.get("metadata")
    events = metadata.get("event") if isinstance(metadata, dict) else None
    if isinstance(events, list):
        _workspace_events(fields, events, "eventName", "eventType", "parameter")
    service = payload.get("serviceName")
    if isinstance(service, str):
        fields["eventService"] = service
    who, whence = payload.get("authenticationInfo"), payload.get("requestMetadata")
    if isinstance(who, dict) and isinstance(who.get("principalEmail"), str):
        fields["actor"] = {"email": who["principalEmail"]}
    if isinstance(whence, dict) and isinstance(whence.get("callerIp"), str):
        fields["ipAddress"] = whence["callerIp"]
    return fields


def _workspace_events(fields: Fields, events: list[Any], name: str, kind: str, parameters: str) -> None:
    told = [event for event in events if isinstance(event, dict)]
    for key, into in ((name, "name"), (kind, "type")):
        values = [event[key] for event in told if isinstance(event.get(key), str)]
        if values:
            fields[into] = values[0] if len(values) == 1 else values
    merged: Fields = {}
    for event in told:
        merged.update(_parameters(event.get(parameters)))
    if merged:
        fields["parameters"] = merged


def _parameters(listed: Any) -> Fields:
    """`[{name, value | intValue | boolValue | multiValue | ...}]` as one object."""
    if isinstance(listed, dict):
        return listed
    merged: Fields = {}
    for each in listed if isinstance(listed, list) else ():
        name = each.get("name") if isinstance(each, dict) else None
        if isinstance(name, str):
            value = next((value for key, value in each.items() if key.lower().endswith("value")), None)
            if value is not None:
                merged[name] = value
    return merged


_azure = spelt(
    "operationName",
    """resourceId operationVersion tenantId resultType resultSignature resultDescription durationMs callerIpAddress
    correlationId""",
)
_DIAGNOSTIC = frozenset(
    [
        *("time", "category", "operationName", "operationVersion", "resultType", "resultSignature", "tenantId"),
        *("resultDescription", "durationMs", "correlationId", "identity", "level", "location", "resourceId"),
        *("callerIpAddress", "properties"),
    ]
)
"""Top-level keys of a diagnostic record of Azure; what is the operation's own lies in `properties`."""
_WORKSPACE_NAMES = {
    "IPAddress": "ipAddress",
    "TimeGenerated": "time",
    "ResourceId": "resourceId",
    "_ResourceId": "resourceId",
    "OperationNameValue": "operationName",
    "CategoryValue": "category",
    "LocationDetails": "location",
}


def azure(fields: Fields) -> Fields:
    """A record of Microsoft Entra or Azure under the names of a diagnostic record, which the other shapes come to.

    Known are diagnostic records (`time`, `operationName`, `properties`), rows of a Log Analytics workspace
    (`TimeGenerated`, `OperationName`, ...) and objects of the Graph API (`createdDateTime` or `activityDateTime`).
    """
    if "TimeGenerated" in fields:
        return _of_workspace(fields)
    fields = _azure(fields)
    properties = fields.get("properties")
    if properties is None and ("createdDateTime" in fields or "activityDateTime" in fields) and "time" not in fields:
        return _of_graph(fields)
    if isinstance(properties, str):
        read = read_object(properties)
        if read is not None:
            fields["properties"] = read
    return fields


def _of_workspace(row: Fields) -> Fields:
    fields: Fields = {}
    properties: Fields = {}
    for column, value in row.items():
        if value is None or value == "":
            continue
        name = _WORKSPACE_NAMES.get(column) or column[:1].lower() + column[1:]
        read = read_object(value) if isinstance(value, str) and value[:1] in {"{", "["} else None
        told = value if read is None else read
        if name in _DIAGNOSTIC and column != "LocationDetails":
            fields.setdefault(name, told)
        else:
            properties[name] = told
    stated = fields.get("properties")
    fields["properties"] = {**properties, **stated} if isinstance(stated, dict) else properties
    if "ipAddress" in properties:
        fields.setdefault("callerIpAddress", properties["ipAddress"])
    return fields


def _of_graph(told: Fields) -> Fields:
    signed_in = "createdDateTime" in told
    status = told.get("status")
    location = told.get("location")
    fields: Fields = {"properties": told, "time": told["createdDateTime" if signed_in else "activityDateTime"]}
    fields["category"] = "SignInLogs" if signed_in else told.get("category", "AuditLogs")
    fields["operationName"] = "Sign-in activity" if signed_in else told.get("activityDisplayName")
    if isinstance(status, dict):
        code = status.get("errorCode")
        fields["resultType"] = str(code) if isinstance(code, int) else code
        fields["resultDescription"] = status.get("failureReason")
    elif not signed_in:
        fields["resultType"] = told.get("result")
    if isinstance(location, dict):
        fields["location"] = location.get("countryOrRegion")
    fields["callerIpAddress"] = told.get("ipAddress")
    return {key: value for key, value in fields.items() if value is not None}
