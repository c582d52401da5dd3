"""Three grades of hardware, by the guide's figures (H1)."""

from typing import Any

import pytest

from plan.host_grade import GRADES, HostSize, describe_grade, grade_of


@pytest.mark.parametrize(
    ("figures", "grade"),
    [
        ((3, 64, 80, 500), None),
        ((4, 15.9, 8, 50), None),
        ((4, 16, 7.9, 50), None),
        ((4, 16, 8, 49), None),
        ((4, 16, 8, 50), "minimum"),
        ((16, 64, 23, 500), "minimum"),
        ((8, 32, 24, 100), "recommended"),
        ((16, 64, 24, 500), "recommended"),
        ((16, 64, 80, 500), "large models"),
        # What nobody could see is judged by nobody.
        ((8, 32, None, None), "recommended"),
        ((None, None, None, None), "large models"),
    ],
)
def test_the_least_figure_decides(figures: tuple[Any, ...], grade: str | None) -> None:
    assert grade_of(HostSize(**dict(zip(GRADES["minimum"].figures, figures, strict=True)))) == grade


def test_each_grade_is_reached_by_its_own_figures_and_larger_than_the_one_before():
    assert [grade_of(wanted) for wanted in GRADES.values()] == list(GRADES)
    least, recommended, large = GRADES.values()
    assert len(least.short_of(recommended)) == len(recommended.short_of(large)) == 4


def test_it_says_what_it_saw_and_what_the_next_grade_asks_for():
    size = HostSize(cpu_cores=12, memory_gb=31, gpu_memory_gb=25.8)
    assert describe_grade(size) == (
        "minimum (12 CPU cores, 31 GB of memory, 25.8 GB of GPU memory); "
        "recommended is 32 GB of memory"
    )
    assert describe_grade(GRADES["large models"]) == (
        "large models (16 CPU cores, 64 GB of memory, 80 GB of GPU memory, 500 GB of free disk)"
    )
