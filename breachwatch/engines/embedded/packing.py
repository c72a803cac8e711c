"""What waits in the spool, as bytes and back: the same as on the wire."""

from breachwatch.engines.wire import pack_alert, pack_chunk, unpack_alert, unpack_chunk

__all__ = ["pack_alert", "pack_chunk", "unpack_alert", "unpack_chunk"]
