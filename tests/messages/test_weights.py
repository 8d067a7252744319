"""Files of learned weights: they read back, and what is none is refused."""

import pytest

from messages.errors import LexiconError
from messages.weights import Learned, digest_of, parse, written


def test_a_written_file_reads_back_the_same() -> None:
    """But for what is too light to matter."""
    model = Learned(
        labels=("stop", "score"), bias=(0.5, -1.25), weights={"_no_": (1.5, -0.2), "x": (0.0, 0.01)}
    )
    table = written(model, about="What it tells", digest="abc", least=0.05)
    again = parse(table, name="some.tsv")
    assert (again.labels, tuple(again.bias)) == (model.labels, model.bias)
    assert [tuple(row) for row in again.rows(["_no_", "x", "unheard"])] == [(1.5, -0.2)]
    assert digest_of(table) == "abc"


SOME = written(
    Learned(labels=("a", "b"), bias=(0.5, 1.0), weights={"f": (1.0, 0.0)}),
    about="What it tells",
    digest="abc",
    least=0.05,
)


@pytest.mark.parametrize(
    "table",
    [
        *("", "labels\ta\nbias\t1\n", "# sum \n", "# sum 0\nlabels\ta\nbias\t1\nf\t0:1\n"),
        pytest.param(SOME[:-1], id="cut short"),
        pytest.param(SOME + "g\t0:1\n", id="a line more"),
        pytest.param(SOME.replace("0:100", "1:100"), id="another weight"),
        pytest.param(SOME.replace("bias", "<<<<<<< ours\nbias"), id="a merge gone wrong"),
    ],
)
def test_another_file_is_refused_with_its_name_and_the_mend(table: str) -> None:
    """What is not whole as it was written is told, and how to write it anew."""
    with pytest.raises(LexiconError, match=r"some\.tsv .*make classifier"):
        parse(table, name="some.tsv")


def test_what_has_no_weights_says_what_is_likely_anyway() -> None:
    """Without a known feature the bias alone decides."""
    nothing = Learned(labels=("a", "b"), bias=(0.0, 0.0), weights={})
    model = parse(written(nothing, about="It", digest="abc", least=0.05), name="some.tsv")
    assert model.probabilities(model.rows(["unheard"])) == {"a": 0.5, "b": 0.5}
