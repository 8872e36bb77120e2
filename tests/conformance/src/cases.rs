/// The list of all cases: hands it to the macro `$each`, behind the tokens `$with`. `{}` is a module of modules, `[]` the cases of a
/// file, in the order in which they stand there.
#[macro_export]
macro_rules! for_every_case {
    ($each:ident! $with:tt) => {
        $each! {
            $with
            unit_of_work [
                rule_1_what_a_commit_acknowledged_survives_a_crash,
                rule_1_a_unit_appears_as_a_whole_and_at_its_commit,
                rule_1_a_unit_sees_its_own_writes,
                rule_2_a_commit_after_a_failed_statement_is_refused,
                rule_2_swallowing_the_failure_and_going_on_does_not_help,
                rule_2_a_failed_statement_of_any_aggregate_spends_the_unit,
                rule_2_a_commit_after_a_cancelled_statement_is_refused,
                rule_2_a_commit_after_a_cancelled_read_is_refused,
                rule_2_a_statement_cancelled_while_another_unit_is_in_its_way_spends_the_unit,
                rule_3_units_that_cross_are_told_so_and_succeed_when_run_again,
                rule_3_a_store_without_a_free_connection_says_so,
                rule_4_a_cancelled_commit_leaves_all_or_nothing,
                rule_4_a_unit_whose_connection_is_killed_never_counts_as_committed,
                rule_4_a_statement_on_a_killed_connection_fails_and_spends_the_unit,
                rule_4_a_crash_during_a_commit_leaves_all_or_nothing,
                rule_4_connections_that_died_in_the_pool_are_replaced,
                rule_5_a_dropped_unit_rolls_back,
                rule_5_rollback_undoes_the_unit,
                rule_5_a_dropped_unit_holds_no_lock,
                rule_5_dropped_units_never_use_up_the_pool,
                rule_5_a_cancelled_begin_loses_nothing_of_others,
                rule_5_a_cancelled_first_statement_loses_nothing_of_others,
                rule_5_a_cancelled_unit_loses_nothing_of_others,
                rule_5_a_cancelled_read_loses_nothing_of_others,
                rule_6_a_unit_is_not_part_of_one_that_was_left_open_before,
                rule_6_units_beside_each_other_end_on_their_own,
                access_a_reading_unit_sees_what_is_committed_when_each_statement_begins,
                access_a_reading_unit_refuses_to_write_conversations,
                access_a_reading_unit_refuses_to_write_accounts,
            ]
            identity {
                user [
                    id_01_a_name_in_any_spelling_is_one_account,
                    id_01_names_that_only_look_alike_are_several_accounts,
                    id_01_a_taken_name_is_refused,
                    id_01_any_number_of_accounts_has_no_email,
                    id_01_an_update_to_a_taken_name_is_refused,
                    id_01_of_two_units_with_one_name_one_is_refused,
                    id_01_the_name_of_a_unit_that_was_dropped_is_free,
                    id_03_the_first_account_is_claimed_once,
                    id_03_of_two_units_one_claims_the_first_account,
                    id_03_a_claim_that_was_dropped_does_not_count,
                    id_03_of_many_units_one_claims_the_first_account,
                    id_41_an_update_needs_the_version_that_it_expects,
                    id_41_of_two_updates_of_one_version_one_wins,
                    id_14_a_noted_login_is_no_change_of_the_account,
                ]
                login [
                    id_23_a_login_is_found_with_its_account,
                    id_14_those_used_longest_ago_are_evicted,
                    id_14_of_logins_used_at_one_instant_exactly_the_surplus_is_evicted,
                    id_14_what_ended_long_ago_is_swept,
                    id_23_one_login_id_of_two_users_is_no_conflict,
                ]
                invitation [
                    id_04_an_invitation_is_used_once,
                    id_04_what_expired_or_was_revoked_is_not_used,
                    id_04_of_two_units_one_uses_it,
                    id_04_a_use_that_was_dropped_does_not_count,
                    id_04_of_many_units_one_uses_it,
                ]
                account [
                    id_01_a_login_name_in_any_spelling_signs_in,
                    id_01_many_sign_ups_under_one_name_give_one_account,
                    id_02_open_admits_everybody,
                    id_02_invite_admits_the_first_and_then_the_invited,
                    id_02_nobody_uninvited_learns_which_accounts_exist,
                    id_02_closed_admits_nobody_but_the_command_line,
                    id_02_the_command_line_makes_accounts_in_every_mode,
                    id_03_of_many_first_sign_ups_one_is_admin,
                    id_03_of_many_first_sign_ups_in_invite_mode_one_is_admitted,
                    id_03_a_first_sign_up_that_is_refused_claims_nothing,
                    id_04_an_invitation_gives_its_roles_once,
                    id_04_of_two_uses_at_once_one_is_admitted,
                    id_04_an_invitation_may_be_bound_to_an_address,
                    id_04_an_invitation_that_expired_or_was_revoked_admits_nobody,
                    id_04_another_secret_does_not_open_an_invitation,
                    id_04_a_refused_name_leaves_the_invitation_unused,
                    id_05_a_bad_password_makes_no_account,
                    id_05_a_password_counts_to_its_last_byte,
                    id_10_there_is_one_answer_to_every_failed_login,
                    id_14_above_the_limit_the_login_used_longest_ago_ends,
                    id_14_logins_at_once_stay_within_the_limit,
                    id_14_a_login_sweeps_what_ended_more_than_seven_days_ago,
                    id_14_a_login_notes_the_device_and_the_time,
                ]
                authentication [
                    id_20_a_token_counts_until_it_expires,
                    id_20_a_changed_token_never_was_good,
                    id_23_a_disabled_account_is_not_let_in,
                    id_23_a_revoked_login_is_not_let_in,
                    id_23_an_expired_login_is_not_let_in,
                    id_23_the_caller_is_who_the_row_says,
                    id_23_a_cached_caller_is_asked_for_again_in_time,
                    id_23_who_ends_a_login_forgets_it_at_once,
                    id_23_every_login_is_a_caller_of_its_own,
                ]
            }
            chat {
                session [
                    ch_06_an_id_that_the_owner_has_is_taken,
                    ch_06_an_id_in_the_trash_is_taken,
                    ch_06_one_id_of_two_owners_is_no_conflict,
                    ch_06_of_two_units_with_one_new_id_one_is_refused,
                    ch_06_an_id_of_a_unit_that_was_dropped_is_free,
                    ch_17_an_update_needs_the_version_that_it_expects,
                    ch_17_of_two_updates_of_one_version_one_wins,
                    ch_17_an_update_after_one_that_was_dropped_goes_through,
                    ch_17_a_deletion_needs_the_version_that_it_expects,
                    ch_17_of_an_update_and_a_deletion_of_one_version_one_wins,
                    ch_21_an_update_replaces_the_client_fields_and_nothing_else,
                    ch_20_the_list_runs_from_the_newest_then_from_the_highest_id,
                    ch_20_a_place_need_not_be_a_row_any_more,
                    ch_20_the_trash_is_listed_only_when_asked_for,
                    ch_45_a_deletion_moves_the_session_to_the_trash_once,
                    ch_22_a_deletion_and_an_update_without_it_clear_the_auto_key,
                    t_036_an_owner_sees_and_moves_nothing_of_another,
                    ch_06_a_client_may_bring_its_own_id,
                    ch_09_a_new_session_starts_at_zero,
                    ch_09_a_change_of_fields_moves_the_version_alone,
                    ch_11_a_change_that_changes_nothing_writes_nothing,
                    ch_17_a_stale_if_match_is_refused,
                    ch_17_of_many_writers_with_one_version_one_wins,
                    ch_17_writers_without_a_version_all_get_through,
                    ch_20_paging_meets_every_old_session_exactly_once,
                    ch_20_the_last_page_says_so,
                    ch_20_a_cursor_counts_for_its_own_list_only,
                    ch_21_a_patch_sets_and_clears_every_client_field,
                    ch_21_a_later_last_update_leads_the_list,
                    ch_23_tags_keep_first_spelling_and_order,
                    ch_23_a_session_has_at_most_32_tags,
                    ch_25_task_fields_need_a_status,
                    ch_26_a_task_without_name_is_named_by_its_description,
                    ch_45_a_second_deletion_finds_nothing,
                    ch_45_of_many_deletions_one_finds_it,
                    ch_46_a_deleted_session_hides_its_messages,
                    ch_90_lengths_are_refused_with_a_pointer,
                    t_036_a_stranger_is_answered_as_if_there_was_nothing,
                ]
                idempotency [
                    ch_08_a_repeated_request_gets_the_answer_of_the_first,
                    ch_08_many_equal_turns_at_once_leave_one,
                    ch_08_another_request_under_the_key_is_refused,
                    ch_08_a_key_of_another_owner_is_another_key,
                    ch_08_an_answer_is_kept_for_a_day,
                    ch_08_a_refused_request_leaves_its_key_free,
                    ch_08_of_two_units_with_one_key_one_claims_it,
                ]
                message [
                    ch_02_nothing_is_appended_to_a_session_that_is_not_live,
                    ch_02_an_append_that_meets_a_deletion_waits_for_its_outcome,
                    ch_03_positions_are_consecutive_and_follow_the_order_given,
                    ch_03_two_turns_at_once_do_not_interleave,
                    ch_03_the_positions_of_a_dropped_turn_are_given_again,
                    ch_03_many_turns_at_once_leave_one_unbroken_row,
                    ch_06_a_message_id_that_the_owner_has_is_taken,
                    ch_06_a_message_id_below_a_trashed_session_is_taken,
                    ch_06_one_message_id_of_two_owners_is_no_conflict,
                    ch_06_of_two_units_with_one_new_message_id_one_is_refused,
                    ch_09_an_append_moves_the_counters_of_its_session,
                    ch_09_without_touch_last_update_stays,
                    ch_09_last_update_never_moves_back_by_an_append,
                    ch_03_a_list_runs_either_way_behind_a_position,
                    ch_81_the_status_filter_agrees_with_what_is_read,
                    ch_02_a_list_tells_an_empty_session_from_none,
                    t_036_an_owner_sees_and_moves_nothing_of_another,
                    ch_01_a_turn_without_session_makes_one,
                    ch_01_a_refused_turn_leaves_nothing,
                    ch_02_a_turn_never_makes_the_session_it_refers_to,
                    ch_03_a_turn_has_1_to_20_messages,
                    ch_03_turns_at_once_are_each_in_one_piece,
                    ch_04_a_complete_message_needs_content,
                    ch_05_a_turn_changes_exactly_the_fields_it_sends,
                    ch_05_a_refused_turn_changes_no_field,
                    ch_05_turns_at_once_that_change_fields_all_get_through,
                    ch_06_a_client_may_bring_its_own_message_id,
                    ch_06_one_id_twice_in_a_turn_is_refused,
                    ch_06_of_many_turns_with_one_new_session_id_one_is_taken,
                    ch_07_times_of_the_store_are_the_servers,
                    ch_09_touch_moves_last_update_and_nothing_moves_it_back,
                    ch_20_messages_are_paged_both_ways,
                    ch_20_a_cursor_of_another_list_of_messages_is_refused,
                    ch_81_a_lapsed_partial_message_reads_interrupted,
                    ch_90_limits_are_refused_with_a_pointer,
                    ch_91_values_that_no_engine_keeps_are_refused,
                    t_036_a_stranger_is_answered_as_if_there_was_nothing,
                ]
            }
            parity [
                parity_a_message_with_every_field_set,
                parity_of_each_switch_on_its_own,
                parity_of_every_role_and_status,
                parity_of_attachments_keeps_the_order_of_each_kind,
                parity_of_texts,
                parity_of_half_a_million_characters,
                parity_of_json_numbers_and_keys,
                parity_of_instants,
                parity_of_a_session_with_every_field_set,
                parity_of_texts_at_their_longest,
                parity_of_an_account_with_every_field_set,
                parity_of_an_invitation_with_every_field_set,
                parity_of_generated_messages,
                parity_of_generated_sessions,
            ]
        }
    };
}

/// Makes what is listed public, and nothing else: a case that is not listed is dead code.
macro_rules! expose {
    ($path:tt $($module:ident $body:tt)*) => {
        $(
            pub mod $module {
                expose_body! { $path $module $body }
            }
        )*
    };
}

macro_rules! expose_body {
    (($($path:ident)*) $module:ident { $($inner:tt)* }) => {
        expose! { ($($path)* $module) $($inner)* }
    };
    (($($path:ident)*) $module:ident [$($case:ident),* $(,)?]) => {
        pub use crate::$($path::)*$module::{$($case),*};
    };
}

/// Every case, under the path that its test has.
pub mod all {
    for_every_case! { expose! () }
}
