"""What a guard thinks of each revision."""

from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import GuardState
from lastgood.decisions import ledger
from tests.decisions.made import ARN, REF, T0, revision


@given(some.lists(some.tuples(some.booleans(), some.integers(1, 100)), max_size=80))
def test_a_revision_is_remembered_once_as_what_it_proved_last(
    history: list[tuple[bool, int]],
) -> None:
    state = GuardState(service=REF)
    last: dict[str, bool] = {}
    for proved, number in history:
        arn = ARN.format(number)
        state = (
            ledger.with_good(state, revision(number), T0)
            if proved
            else ledger.with_demoted(state, revision(number), T0, "rolled back")
        )
        last[arn] = proved
        newest = state.good[0].task_definition if proved else state.unproven[0]
        assert newest == arn
    good = [one.task_definition for one in state.good]
    assert len(good) == len(set(good)) <= ledger.KEPT_GOOD
    assert len(state.unproven) == len(set(state.unproven))
    assert not set(good) & set(state.unproven)
    assert all(last[arn] for arn in good)
    assert not any(last[arn] for arn in state.unproven)
