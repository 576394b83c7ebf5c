"""The features' routes over HTTP: bodies, problem documents, keys, Chalice. Over features and what lies below."""
