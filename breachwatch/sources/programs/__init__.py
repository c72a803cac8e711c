"""What programs write into text logs."""
