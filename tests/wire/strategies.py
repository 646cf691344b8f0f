"""Every message of both sides, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from narrows.wire.postgres import backend, copying, frontend, startup

texts = st.one_of(
    st.text(max_size=20, alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
)
"""Whatever can stand between two NULs, valid UTF-8 or not."""

int16s = st.integers(-(2**15), 2**15 - 1)
int32s = st.integers(-(2**31), 2**31 - 1)
oids = st.integers(0, 2**32 - 1)
formats = st.sampled_from([0, 1])
values = st.none() | st.binary(max_size=30)


def tuples(of: st.SearchStrategy[object], limit: int = 5) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=limit).map(tuple)


@st.composite
def binds(draw: st.DrawFn) -> frontend.Bind:
    parameters = tuple(draw(st.lists(values, max_size=5)))
    count = draw(st.sampled_from([0, 1, len(parameters)]))
    codes = tuple(draw(st.lists(formats, min_size=count, max_size=count)))
    return frontend.Bind(
        draw(texts), draw(texts), codes, parameters, tuple(draw(st.lists(formats, max_size=3)))
    )


_targets = st.sampled_from(["S", "P"])

frontend_messages: st.SearchStrategy[frontend.FrontendMessage] = st.one_of(
    st.builds(frontend.Query, texts),
    st.builds(frontend.Parse, texts, texts, tuples(oids)),
    binds(),
    st.builds(frontend.Describe, _targets, texts),
    st.builds(frontend.Close, _targets, texts),
    st.builds(frontend.Execute, texts, int32s),
    st.builds(frontend.Sync),
    st.builds(frontend.Flush),
    st.builds(copying.CopyData, st.binary(max_size=50)),
    st.builds(copying.CopyDone),
    st.builds(frontend.CopyFail, texts),
    st.builds(frontend.FunctionCall, oids, tuples(formats), tuples(values), formats),
    st.builds(frontend.Terminate),
)

_names = texts.filter(bool)
_fields = st.dictionaries(st.sampled_from("SVCMDHPpqWstcdnFLR"), texts, max_size=8)

backend_messages: st.SearchStrategy[backend.BackendMessage] = st.one_of(
    st.builds(backend.AuthenticationOk),
    st.builds(backend.AuthenticationCleartextPassword),
    st.builds(backend.AuthenticationMD5Password, st.binary(min_size=4, max_size=4)),
    st.builds(backend.AuthenticationSASL, tuples(_names)),
    st.builds(backend.AuthenticationSASLContinue, st.binary(max_size=40)),
    st.builds(backend.AuthenticationSASLFinal, st.binary(max_size=40)),
    st.builds(
        backend.AuthenticationUnsupported, st.sampled_from([2, 6, 7, 8, 9, 13, -1]), st.binary(max_size=9)
    ),
    st.builds(
        backend.RowDescription,
        tuples(st.builds(backend.Field, texts, oids, int16s, oids, int16s, int32s, formats)),
    ),
    st.builds(backend.CommandComplete, texts),
    st.builds(backend.ReadyForQuery, st.sampled_from("ITE")),
    st.builds(backend.ErrorResponse, _fields),
    st.builds(backend.NoticeResponse, _fields),
    st.builds(backend.ParameterStatus, texts, texts),
    st.builds(backend.BackendKeyData, int32s, st.binary(min_size=4, max_size=256)),
    st.builds(backend.NegotiateProtocolVersion, int32s, tuples(texts)),
    st.builds(backend.NotificationResponse, int32s, texts, texts),
    st.builds(backend.ParameterDescription, tuples(oids)),
    st.builds(backend.CopyInResponse, formats, tuples(formats)),
    st.builds(backend.CopyOutResponse, formats, tuples(formats)),
    st.builds(backend.CopyBothResponse, formats, tuples(formats)),
    st.builds(backend.FunctionCallResponse, values),
    st.sampled_from(
        [
            backend.ParseComplete(),
            backend.BindComplete(),
            backend.CloseComplete(),
            backend.NoData(),
            backend.PortalSuspended(),
            backend.EmptyQueryResponse(),
            copying.CopyDone(),
        ]
    ),
)
"""All but rows: they need a plan."""

data_rows = st.builds(backend.DataRow, tuples(values))

startups = st.builds(
    startup.Startup,
    st.just(3),
    st.integers(0, 0xFFFF),
    st.dictionaries(_names.filter(lambda name: not name.startswith("_pq_.")), texts, max_size=4),
    st.dictionaries(_names.map("_pq_.".__add__), texts, max_size=2),
)
