"""The engine beyond one machine: Faust workers over Apache Kafka, with the same promises."""
