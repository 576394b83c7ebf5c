"""The ports on AWS, by botocore; the only place that knows its errors."""
