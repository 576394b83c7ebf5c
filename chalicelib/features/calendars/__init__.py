"""Named calendars: define, import, list, change, delete, and look at their days."""

PATHS = ("/calendars", "/calendars/{name}", "/calendars/{name}/import", "/calendars/{name}/days")
