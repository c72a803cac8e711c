"""The desk's words: what codes are called, and what each refusal and each finished step says."""

from collections.abc import Mapping

ROLE_NAMES: Mapping[str, str] = {
    "analyst": "an analyst",
    "dpo": "the data protection officer",
    "admin": "an administrator",
}
ROLES: Mapping[str, tuple[str, str]] = {
    "analyst": ("Analyst", "Alerts, incidents, notes, checklist, drafts"),
    "dpo": ("Data protection officer", "All of that, and decisions, approvals, submissions, the register"),
    "admin": ("Administrator", "The team; no incident"),
}
LEVELS: Mapping[str, tuple[str, int]] = {
    "": ("Not scored", 0),
    "low": ("Low", 1),
    "medium": ("Medium", 2),
    "high": ("High", 3),
    "very_high": ("Very high", 4),
}
LEVEL_MEANINGS: Mapping[str, str] = {
    "low": "No effect on people, or small inconveniences overcome without trouble.",
    "medium": "Significant inconveniences, overcome with some difficulty.",
    "high": "Significant consequences, overcome only with serious difficulty.",
    "very_high": "Significant or irreversible consequences, not overcome.",
}
DUTIES: Mapping[str, tuple[str, str, str]] = {
    "record_only": ("Record only", "A risk to people is unlikely: it stays in the register.", "33(5)"),
    "notify_authority": ("Tell the authority", "A risk to people cannot be ruled out.", "33(1)"),
    "notify_authority_and_people": (
        "Tell the authority and the people",
        "A high risk to people is likely.",
        "34(1)",
    ),
}
STATUSES: Mapping[str, str] = {
    "open": "To be examined",
    "confirmed": "Confirmed breach",
    "dismissed": "Dismissed",
    "closed": "Closed",
}
FILING_STATES: Mapping[str, str] = {"draft": "draft", "approved": "approved, to be handed in", "submitted": "handed in"}
NOTICE_STATES: Mapping[str, str] = {
    "none": "no draft",
    "drafted": "draft",
    "approved": "being sent",
    "done": "all sent",
}
PHASES: Mapping[str, tuple[str, str]] = {
    "initial": ("Initial", "To be completed later (Art. 33(4))"),
    "complementary": ("Complementary", "Adds to one handed in before"),
    "complete": ("Complete", "Everything is known"),
}
CHECK_PHASES: Mapping[str, str] = {
    "contain": "Contain",
    "assess": "Assess",
    "notify": "Notify",
    "recover": "Recover",
}
LANGUAGES: Mapping[str, str] = {
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
}
OUTBOX_STATES: Mapping[str, str] = {
    "sent": "Sent",
    "sending": "Being sent",
    "pending": "Waiting",
    "retry": "To be tried again",
    "refused": "Refused by the server",
}
NOTICE_PARTS: Mapping[str, str] = {
    "nature": "what happened",
    "consequences": "likely consequences",
    "measures": "what was done about it",
    "advice": "what people can do",
    "contact": "whom they can ask",
}
SOURCE_STATES: Mapping[str, str] = {"reading": "Reading", "waiting": "Waiting", "failed": "Failing"}

DONE: Mapping[str, str] = {
    "raised": "The incident is raised; its clock runs.",
    "confirmed": "Confirmed as a personal data breach.",
    "dismissed": "Dismissed; the reason is in the case file.",
    "reopened": "Taken up again.",
    "closed": "Closed; the case file stays.",
    "noted": "Your note is in the case file.",
    "ticked": "The checklist is updated.",
    "aware": "The time of awareness is corrected; both times are kept.",
    "asked": "The directory is being asked again; load this page in a moment to see what it knows.",
    "scored": "The input is changed and the score computed anew.",
    "decided": "Your decision is in the case file.",
    "filing-saved": "The draft is saved.",
    "filing-same": "Nothing in the draft was changed.",
    "taken-over": "You answer for it now, as if you had written it. Whoever wrote it may approve it.",
    "filing-approved": "The filing is approved. Hand it in, then record the reference.",
    "submitted": "The submission is recorded.",
    "notice-saved": "The text is saved.",
    "notices-approved": "The notices are approved and on their way, one to each person.",
    "password": "Your password is set.",
    "member": "The team is updated.",
    "signed-out": "You are signed out.",
}
"""What a page says after a form was taken, by the word in its URL; nothing else from a URL is ever shown."""

OOPS: Mapping[int, tuple[str, str]] = {
    400: ("That request cannot be read", "Go back, reload the page, and try again."),
    403: ("This is not for you to do", "If you think it should be, reload the page you came from and try once more."),
    404: ("There is nothing here", "The address may be mistyped. Start again from the inbox."),
    405: ("This page does not take that", "Start again from the inbox."),
    408: ("That took too long to arrive", "Nothing was saved. Try again on a better connection."),
    409: ("The case has moved on", "Nothing was saved. Open the case again, read what is new, then decide."),
    413: ("That is too large", "Send less at once. Long material belongs in a file; note where it is."),
    415: ("That kind of content is not taken here", "Forms come from this desk's own pages."),
    422: ("That cannot be done like this", "Nothing was saved. Go back, mend it, and send it again."),
    429: ("Too many attempts", "Wait a quarter of an hour. A one-time code from your administrator works meanwhile."),
    500: ("Something broke on our side", "Nothing was saved. Try again; if it stays so, tell whoever runs this desk."),
    503: ("The case file cannot be reached just now", "Nothing was saved and nothing is lost. Try again in a moment."),
}
