"""What stands around a deployment: the option allow-list, the platform's proxy, saved configurations."""
