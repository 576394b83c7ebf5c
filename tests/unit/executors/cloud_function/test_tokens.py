"""How long tokens are kept."""

from collections.abc import Callable

from chalicelib.executors.cloud_function.tokens import EARLY_SECONDS, MAX_TOKENS, Token, Tokens


class Issuer:
    """Counts what it issues. `now` is the time."""

    def __init__(self) -> None:
        self.issued, self.now = 0, 0.0
        self.tokens = Tokens(lambda: self.now)

    def ask(self, *key: str, seconds: float = 3600) -> Token:
        return self.tokens.token(key, self._maker(seconds))

    def _maker(self, seconds: float) -> Callable[[], Token]:
        def issue() -> Token:
            self.issued += 1
            return Token(str(self.issued), seconds)

        return issue


def test_a_token_is_kept_until_shortly_before_it_expires() -> None:
    issuer = Issuer()
    assert not issuer.ask("a").is_kept
    issuer.now = 3600 - EARLY_SECONDS - 1
    assert issuer.ask("a") == Token("1", 3600, is_kept=True)
    issuer.now += 1
    assert issuer.ask("a").text == "2"


def test_each_has_its_own_and_a_forgotten_one_is_issued_anew() -> None:
    issuer = Issuer()
    assert [issuer.ask("a", "b").text, issuer.ask("ab").text, issuer.ask("a", "b").text] == ["1", "2", "1"]
    issuer.tokens.forget(("a", "b"))
    issuer.tokens.forget(("never seen",))
    assert issuer.ask("a", "b").text == "3"


def test_one_that_is_hardly_good_is_not_kept() -> None:
    issuer = Issuer()
    assert [issuer.ask("a", seconds=60).text for _ in range(2)] == ["1", "2"]


def test_the_oldest_make_room() -> None:
    issuer = Issuer()
    for number in range(MAX_TOKENS + 1):
        issuer.ask(str(number))
    assert issuer.ask(str(MAX_TOKENS)).is_kept
    assert not issuer.ask("0").is_kept
