"""The faults of the model: each breaks a law, which holds without it."""

from collections.abc import Callable, Iterator

import pytest

from tenuto.conformance_tests import test_model_deciding as deciding
from tenuto.conformance_tests import test_model_failing as failing
from tenuto.conformance_tests import test_model_loop as loop
from tenuto.conformance_tests import test_model_restoring as restoring
from tenuto.conformance_tests import test_model_resuming as resuming
from tenuto.conformance_tests import test_model_saving as saving
from tenuto.conformance_tests import test_model_stopping as stopping
from tenuto.conformance_tests.clauses import clauses
from tenuto.conformance_tests.oracle.model.faults import FAULTS, Fault

Law = Callable[[], None]

PLAIN, WINDOWS, PLATEAU = resuming.SETTINGS


def end_to_end() -> None:
    resuming.test_attempts_put_end_to_end_are_one(PLAIN)


def end_to_end_with_windows() -> None:
    resuming.test_attempts_put_end_to_end_are_one(WINDOWS)


def after_a_failure() -> None:
    resuming.test_after_a_failure_the_last_exact_state_is_trained_on(PLAIN)


LAWS: dict[str, Law] = {
    "the least with both modes": deciding.test_the_greatest_of_negated_values_are_the_least,
    "ties to the later": deciding.test_a_list_holds_the_values_that_fewer_than_k_others_beat,
    "the newest stay in the list": deciding.test_the_order_of_what_is_worse_does_not_change_rank_1,
    "as good counts as better": deciding.test_rank_1_leaves_only_for_a_better_value,
    "infinities subtracted": deciding.test_zeros_are_equal_and_infinities_are_values,
    "no least difference": deciding.test_with_one_slot_each_best_beats_the_one_before_by_more_than_the_least_difference,
    "NaN takes a slot": deciding.test_a_list_without_numbers_is_empty,
    "least difference with more slots": deciding.test_a_slot_more_keeps_what_was_kept,
    "one slot more": deciding.test_a_list_has_at_most_k_entries_and_changes_by_one_at_a_time,
    "a state enters twice": deciding.test_a_state_enters_once,
    "stale values enter": saving.test_best_names_lead_to_the_entries_of_the_list,
    "one monitor at an event": saving.test_several_monitors_are_as_if_each_were_alone,
    "less patience": stopping.test_early_stopping_ends_when_no_look_of_the_last_ones_was_an_improvement,
    "patience never reset": stopping.test_early_stopping_ends_when_no_look_of_the_last_ones_was_an_improvement,
    "NaN is an improvement": stopping.test_early_stopping_ends_when_no_look_of_the_last_ones_was_an_improvement,
    "manual saves count": deciding.test_keeping_the_last_n_keeps_so_many_and_what_is_protected,
    "parent not protected": deciding.test_what_is_protected_stays_whatever_a_policy_answers,
    "foreign files deleted": deciding.test_what_is_protected_stays_whatever_a_policy_answers,
    "all policies have to keep": deciding.test_a_union_keeps_what_one_of_its_policies_keeps,
    "emergencies go at once": deciding.test_an_emergency_checkpoint_stays_until_a_newer_periodic_one,
    "emergencies stay for ever": deciding.test_an_emergency_checkpoint_stays_until_a_newer_periodic_one,
    "age by progress alone": lambda: deciding.test_of_two_attempts_the_later_one_is_newer(1),
    "one less is kept": saving.test_periodic_names_are_the_last_n,
    "superseded files deleted": resuming.test_superseded_files_are_never_deleted,
    "latest not moved by a best save": saving.test_one_event_makes_one_file_and_the_last_state_is_saved_once,
    "each new entry is rank 1": saving.test_best_names_lead_to_the_entries_of_the_list,
    "names of earlier attempts overwritten": resuming.test_resumed_from_an_older_file_the_later_ones_make_way,
    "names not made good": resuming.test_a_resumed_attempt_makes_the_best_names_and_latest_good,
    "what left a list stays": saving.test_best_names_lead_to_the_entries_of_the_list,
    "news in another order": saving.test_news_of_one_save_come_in_their_order,
    "no batch in a name": saving.test_names_inside_a_window_have_the_number_of_the_batch,
    "called as given": loop.test_the_callback_that_saves_is_called_last_wherever_it_is_given,
    "saving called before its phase": loop.test_the_callback_that_saves_is_called_last_wherever_it_is_given,
    "callbacks called after a failure": stopping.test_a_failure_leaves_the_later_callbacks_of_its_event_out,
    "an error ends the last hooks": stopping.test_what_fails_after_the_first_failure_changes_nothing,
    "on_train_end after a failure": loop.test_the_events_follow_the_grammar,
    "the last stop wins": stopping.test_the_first_of_several_stops_gives_the_reason,
    "stops after the end": stopping.test_the_first_of_several_stops_gives_the_reason,
    "stop one batch late": stopping.test_a_stop_of_a_batch_ends_at_the_end_of_that_batch,
    "epoch finished first": stopping.test_a_stop_of_a_batch_ends_at_the_end_of_that_batch,
    "stop before signal": stopping.test_of_a_signal_and_a_stop_the_signal_is_honored_in_an_epoch,
    "validation recorded before the signal": stopping.test_a_signal_in_validation_comes_before_its_metrics,
    "signal when the work is done": stopping.test_a_signal_when_the_work_is_done_changes_nothing,
    "epoch started again": end_to_end,
    "batch counted late": loop.test_progress_is_that_of_the_moment,
    "missing leaves the measured value": loop.test_given_metrics_take_the_place_of_those_that_were_measured,
    "plateau on the measured value": loop.test_a_plateau_follows_the_given_metric,
    "one step more": stopping.test_the_last_step_ends_the_run_like_a_stop,
    "final save always": saving.test_one_event_makes_one_file_and_the_last_state_is_saved_once,
    "no final save": saving.test_names_inside_a_window_have_the_number_of_the_batch,
    "failed final save is borne": failing.test_a_final_save_that_fails_fails_the_run,
    "emergency without a batch": failing.test_an_emergency_save_holds_the_last_boundary_and_moves_no_latest,
    "emergencies count": end_to_end,
    "exact after a failure": failing.test_an_emergency_save_holds_the_last_boundary_and_moves_no_latest,
    "inexact after a resume": end_to_end,
    "lists before the event": saving.test_every_file_says_that_it_is_in_its_own_lists,
    "counted from any save": saving.test_saves_by_steps_and_by_epochs_count_on_their_own,
    "due one step late": saving.test_saves_by_steps_and_by_epochs_count_on_their_own,
    "failed save is due again": failing.test_a_failed_save_leaves_everything_as_it_was_and_counts_as_made,
    "failed save enters the list": failing.test_a_failed_save_leaves_everything_as_it_was_and_counts_as_made,
    "failures never fail the run": failing.test_so_many_failures_in_a_row_fail_the_run,
    "failures never forgotten": failing.test_so_many_failures_in_a_row_fail_the_run,
    "manual save in a hook exact": failing.test_a_manual_save_inside_a_hook_is_not_exact_and_told_later,
    "manual saves move the count": failing.test_a_manual_save_changes_no_later_periodic_one,
    "manual saves told at once": failing.test_a_manual_save_inside_a_hook_is_not_exact_and_told_later,
    "strict before validation": failing.test_a_strict_monitor_that_was_never_measured_fails_the_run,
    "emergency moves latest": failing.test_an_emergency_save_holds_the_last_boundary_and_moves_no_latest,
    "inexact states are usable": after_a_failure,
    "greatest progress of any attempt": resuming.test_the_newest_attempt_goes_before_the_greatest_progress,
    "used folder taken for a new one": resuming.test_what_is_refused_changes_nothing,
    "missing path starts fresh": resuming.test_what_is_refused_changes_nothing,
    "attempts without numbers": resuming.test_resumed_from_an_older_file_the_later_ones_make_way,
    "number from the parent": resuming.test_resumed_from_an_older_file_the_later_ones_make_way,
    "lineage of one attempt": resuming.test_an_attempt_builds_on_all_in_its_lineage,
    "other settings fit": resuming.test_what_is_refused_changes_nothing,
    "length has to fit": resuming.test_a_run_with_more_epochs_is_a_longer_run,
    "counts not restored": restoring.test_states_of_callbacks_go_with_the_run,
    "patience not restored": end_to_end,
    "saves not restored": end_to_end_with_windows,
    "lists not restored": end_to_end,
    "gradients not restored": end_to_end_with_windows,
    "length of the file": resuming.test_a_run_with_more_epochs_is_a_longer_run,
    "one name for all that is freed": resuming.test_resumed_from_an_older_file_the_later_ones_make_way,
}
"""By fault: a law that it breaks."""


@pytest.fixture
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The fault of this id, in place of the function that is right."""
    fault: Fault = FAULTS[request.param]
    monkeypatch.setattr(fault.owner, fault.attribute, fault.wrong)
    saving.one_run.cache_clear()
    yield fault.id
    saving.one_run.cache_clear()


@pytest.mark.parametrize("faulty", LAWS, indirect=True)
def test_a_fault_breaks_its_law(faulty: str) -> None:
    with pytest.raises(AssertionError):
        LAWS[faulty]()


@pytest.mark.parametrize("law", dict.fromkeys(LAWS.values()))
def test_without_a_fault_the_same_law_holds(law: Law) -> None:
    law()


def test_every_fault_has_a_law_and_a_clause() -> None:
    assert LAWS.keys() == FAULTS.keys()
    assert {fault.req for fault in FAULTS.values()} - clauses().keys() == set()
