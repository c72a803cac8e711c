#!/bin/sh
# Starts the broker. Its storage is prepared the first time, with the one user who may sign in: what proves the user's
# password, not the password itself; and that is read from its file, so that it stands in no list of processes.
set -eu
settings=/etc/breachwatch/kafka/server.properties
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --config "$settings" \
    --cluster-id "$(cat /run/secrets/kafka.cluster)" --add-scram @/run/secrets/kafka.scram
exec /opt/kafka/bin/kafka-server-start.sh "$settings"
