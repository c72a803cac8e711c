"""What clouds, services and Windows write as JSON, brought under the names that rules use."""
