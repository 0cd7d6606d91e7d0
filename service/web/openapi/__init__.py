"""What /docs.json says: the whole of the service in OpenAPI, from the settings, models and types that it describes."""
