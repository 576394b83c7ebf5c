"""Job types: what there is to choose from, and everything that a form needs to ask for."""

PATHS = ("/job-types", "/job-types/{type}")
