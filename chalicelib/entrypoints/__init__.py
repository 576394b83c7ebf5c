"""One small module a Lambda: decode the event, hand it to the engine, encode the answer."""
