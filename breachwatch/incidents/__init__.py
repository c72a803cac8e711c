"""From alert to incident: raise, merge, confirm, dismiss, reopen, close."""
