"""Whatever a client pipelines, and however the answers dribble in: the same answers, in order, and the same data,
as if the refused statements had failed at the target itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.core import PgBackend, PgFrontend
from narrows.core.plan import PASS_ALL
from narrows.model.verdict import Effect, MaskObligation, Verdict, mint
from narrows.relay.machine import Ask, Close, Command, Finished, Send, Side
from narrows.wire.postgres import backend, frontend
from narrows.wire.postgres.message import Message
from tests.relay.model import Model
from tests.relay.raw import SYNC, bind, execute, parse, query
from tests.relay.talk import DENIED, PLAIN_VIEW, VIEW, Talk

_REFUSED_QUERY = "select 'refuse_me'"
_REFUSED_EXTENDED = "select 'refuse_me extended'"

numbers = st.integers(1, 99)
texts = st.one_of(
    numbers.map(lambda n: f"select {n}"),
    numbers.map(lambda n: f"insert into notes values ({n}, 'x')"),
    numbers.map(lambda n: f"insert into notes values ({n}, 'x') returning body"),
    st.sampled_from(
        ["select 1/0", "insert into notes values (0, 'x') returning id", "begin", "commit", "rollback"]
    ),
)


def _extended(text: str) -> list[frontend.FrontendMessage]:
    return [parse(text), bind(), frontend.Describe("P", ""), execute()]


units: st.SearchStrategy[list[frontend.FrontendMessage]] = st.one_of(
    texts.map(lambda text: [query(text)]),
    st.just([query(_REFUSED_QUERY)]),
    st.one_of(texts, st.just(_REFUSED_EXTENDED)).map(_extended),
    st.just([SYNC]),
    st.just([execute()]),
)
pipelines = st.lists(units, max_size=14).map(lambda found: [*(each for unit in found for each in unit), SYNC])


class Driven:
    """The machine between a pipeline and the model, with answers cut and delayed as `choices` say."""

    def __init__(self, talk: Talk, choices: list[int]) -> None:
        self.talk = talk
        self.target = Model()
        self.to_client = bytearray()
        self.statuses: list[str] = []
        self.is_closed = False
        self.asked = 0
        self._choices = choices
        self._waiting = bytearray()
        self._codec = PgFrontend()

    def run(self, data: bytes) -> None:
        at = 0
        for choice in self._choices:
            if choice % 2:
                self._carry_out(self.talk.session.receive(Side.CLIENT, data[at : at + choice]))
                at += choice
            else:
                self._answer(choice)
        self._carry_out(self.talk.session.receive(Side.CLIENT, data[at:]))
        while self._waiting:
            self._answer(len(self._waiting))

    def _answer(self, size: int) -> None:
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        if piece:
            self._carry_out(self.talk.session.receive(Side.UPSTREAM, piece))

    def _carry_out(self, commands: list[Command]) -> None:
        queue = list(commands)
        while queue:
            match queue.pop(0):
                case Send(Side.CLIENT, data):
                    self.to_client += data
                case Send(_, data):
                    self._to_target(data)
                case Ask(hold, statement):
                    self.asked += 1
                    refusal = DENIED if "refuse_me" in statement.text else None
                    verdict = Verdict(Effect.ALLOW, obligations=(MaskObligation({}),))
                    queue += self.talk.session.resume(hold, mint(f"r{self.asked}", verdict, refusal))
                case Finished(outcome):
                    self.statuses.append(outcome.record)
                case Close():
                    self.is_closed = True

    def _to_target(self, data: bytes) -> None:
        self._codec.receive(data)
        while (message := self._codec.next()) is not None:
            assert isinstance(message, Message)
            for said in self.target.say(frontend.parse(message)):
                self._waiting += backend.build(said)


def _told(data: bytes) -> list[str]:
    """The kinds, with what matters of errors, rows and statuses."""
    codec = PgBackend()
    codec.receive(data)
    found: list[str] = []
    while True:
        codec.set_plan(PASS_ALL)
        item = codec.next()
        if item is None:
            return found
        if not isinstance(item, Message):
            found += ["row"] * item.rows
        elif item.kind == b"E":
            found.append("error " + backend.parse_error_response(item.payload).fields["C"])
        else:
            found.append((item.kind + item.payload[:12]).decode("latin-1"))


@settings(max_examples=400, deadline=None)
@given(pipelines, st.lists(st.integers(1, 60), max_size=60), st.booleans())
def test_a_pipeline_is_answered_as_if_the_refused_had_failed_at_the_target(
    pipeline: list[frontend.FrontendMessage], choices: list[int], has_labels: bool
) -> None:
    direct = Model()
    expected = b"".join(backend.build(said) for message in pipeline for said in direct.say(message))
    driven = Driven(Talk(VIEW if has_labels else PLAIN_VIEW), choices)
    driven.run(b"".join(map(frontend.build, pipeline)))
    assert not driven.is_closed
    assert _told(bytes(driven.to_client)) == _told(expected)
    assert driven.target.committed == direct.committed
    assert sorted(driven.statuses) == sorted(f"r{number + 1}" for number in range(driven.asked))
