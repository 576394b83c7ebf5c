"""The Chalice app: the api Lambda's handler, and the other Lambdas' names. Nothing is read or connected at import."""

from chalicelib.entrypoints import dead_letters, dispatcher, worker
from chalicelib.http.api import Api
from chalicelib.http.docs import table
from chalicelib.wiring import wiring

app = Api(table(), lambda: wiring().services)
app.register_blueprint(dispatcher.blueprint)
app.register_blueprint(worker.blueprint)
app.register_blueprint(dead_letters.blueprint)
