"""`kafka-broker-api-versions.sh`, as far as it says whether a broker answers to who signs in by a settings file."""

import asyncio
import re
import ssl
import sys
from pathlib import Path

from aiokafka.client import AIOKafkaClient


async def main(bootstrap: str, text: str) -> None:
    """Ask the broker for what it knows; raises when it does not answer or does not let one in."""
    settings = dict(line.split("=", 1) for line in text.splitlines())
    given = dict(re.findall(r'(\w+)="([^"]*)"', settings["sasl.jaas.config"]))
    client = AIOKafkaClient(
        bootstrap_servers=bootstrap,
        security_protocol=settings["security.protocol"],
        sasl_mechanism=settings["sasl.mechanism"],
        sasl_plain_username=given["username"],
        sasl_plain_password=given["password"],
        ssl_context=ssl.create_default_context(cafile=settings["ssl.truststore.location"]),
    )
    await client.bootstrap()
    await client.close()


if __name__ == "__main__":
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    asyncio.run(main(arguments["--bootstrap-server"], Path(arguments["--command-config"]).read_text("utf-8")))
