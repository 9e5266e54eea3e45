"""The CloudWatch alarms of a service, made from its policy: what they are, and how they differ."""
