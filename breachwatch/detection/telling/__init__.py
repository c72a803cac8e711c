"""What is told of matches and alerts, here and in the words of other tools."""
