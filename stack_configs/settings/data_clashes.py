"""Data, evaluations and schedules that LLaMA-Factory refuses together."""

from stack_configs.settings.clash import Clash, Told, evaluates, has_judging_rows, under_zero3


def _length_differs(told: Told, names: str) -> bool:
    given, probabilities = told[names], told["interleave_probs"]
    if not given or not probabilities:
        return False
    return len(given.split(",")) != len(probabilities.split(","))


DATA_CLASHES: tuple[Clash, ...] = (
    Clash(
        argument="mask_history",
        when=lambda told: told["mask_history"] and told["train_on_prompt"],
        rule="it does not go with train_on_prompt",
        way_out="Keep one of the two",
    ),
    Clash(
        argument="streaming",
        when=lambda told: told["streaming"] and told["max_steps"] < 1,
        rule="nobody knows the end of data that is streamed",
        way_out="Set max_steps, or remove it",
    ),
    Clash(
        argument="streaming",
        when=lambda told: told["streaming"] and told["max_samples"] is not None,
        rule="it does not go with max_samples",
        way_out="Keep one of the two",
    ),
    Clash(
        argument="val_size",
        when=lambda told: told["streaming"] and 0 < told["val_size"] < 1,
        rule="of data that is streamed it must be a number of rows, no share",
        way_out="Give a whole number",
    ),
    Clash(
        argument="val_size",
        when=lambda told: told["val_size"] > 0 and bool(told["eval_dataset"]),
        rule="rows are held out where eval_datasets names none",
        way_out="Keep one of the two",
    ),
    Clash(
        argument="interleave_probs",
        when=lambda told: bool(told["interleave_probs"]) and told["mix_strategy"] == "concat",
        rule="data sets that follow one another have no probabilities",
        way_out="Set mix_strategy to interleave_under, interleave_over or interleave_once",
    ),
    *(
        Clash(
            argument="interleave_probs",
            when=lambda told, names=names: _length_differs(told, names),  # type: ignore[misc]
            rule=f"it must have as many numbers as {names}s has names",
            way_out="Give each data set one",
        )
        for names in ("dataset", "eval_dataset")
    ),
    Clash(
        argument="eval_strategy",
        when=lambda told: (evaluates(told) or told["do_eval"]) and not has_judging_rows(told),
        rule="there is nothing to judge by",
        way_out="Set val_size, such as 0.1, or eval_datasets",
    ),
    Clash(
        argument="predict_with_generate",
        when=lambda told: (
            (told["predict_with_generate"] or told["do_predict"]) and not has_judging_rows(told)
        ),
        rule="there is nothing to judge by",
        way_out="Set val_size, such as 0.1, or eval_datasets",
    ),
    Clash(
        argument="predict_with_generate",
        when=lambda told: told["predict_with_generate"] and told["compute_accuracy"],
        rule="it does not go with compute_accuracy",
        way_out="Keep one of the two",
    ),
    Clash(
        argument="predict_with_generate",
        when=lambda told: told["predict_with_generate"] and under_zero3(told),
        rule="it does not go with deepspeed zero3",
        way_out="Remove it, or set deepspeed to zero2",
    ),
    Clash(
        argument="do_predict",
        when=lambda told: (
            told["do_predict"] and told["stage"] == "sft" and not told["predict_with_generate"]
        ),
        rule="what is predicted must be generated",
        way_out="Set predict_with_generate to true, or remove it",
    ),
    Clash(
        argument="load_best_model_at_end",
        when=lambda told: told["load_best_model_at_end"] and told["stage"] in ("rm", "ppo"),
        rule="it does not go with stage rm or ppo",
        way_out="Remove it",
    ),
    Clash(
        argument="load_best_model_at_end",
        when=lambda told: (
            told["load_best_model_at_end"]
            and told["save_strategy"] not in ("best", told["eval_strategy"])
        ),
        rule="a checkpoint is judged when it is saved",
        way_out="Set eval_strategy as save_strategy, whose default is steps",
    ),
    Clash(
        argument="load_best_model_at_end",
        when=lambda told: (
            told["load_best_model_at_end"]
            and told["save_strategy"] == told["eval_strategy"] == "steps"
            and told["save_steps"] % (told["eval_steps"] or told["logging_steps"]) != 0
        ),
        rule="save_steps must be a multiple of eval_steps, which is logging_steps where unset",
        way_out="Set eval_steps as save_steps",
    ),
    Clash(
        argument="early_stopping_steps",
        when=lambda told: (
            told["early_stopping_steps"] is not None
            and not (
                evaluates(told)
                and (told["load_best_model_at_end"] or told["metric_for_best_model"])
            )
        ),
        rule="it watches evaluations, and there are none or nobody says what is best",
        way_out="Set val_size, eval_strategy: steps and load_best_model_at_end: true",
    ),
    Clash(
        argument="lr_scheduler_type",
        when=lambda told: (
            told["lr_scheduler_type"] == "reduce_lr_on_plateau" and not evaluates(told)
        ),
        rule="it watches evaluations, and there are none",
        way_out="Set val_size, such as 0.1, and eval_strategy: steps",
    ),
    Clash(
        argument="warmup_ratio",
        when=lambda told: told["warmup_ratio"] is not None and told["warmup_steps"] > 0,
        rule="it stands in for warmup_steps, which is set as well",
        way_out="Keep one of the two",
    ),
    *(
        Clash(
            argument=f"{kind}_max_pixels",
            when=lambda told, kind=kind: (  # type: ignore[misc]
                told[f"{kind}_max_pixels"] < told[f"{kind}_min_pixels"]
            ),
            rule=f"it is less than {kind}_min_pixels",
            way_out="Change one of the two",
        )
        for kind in ("image", "video")
    ),
)
