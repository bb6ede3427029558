"""`make teacher`: train the miniature's optical teacher again and write its weights and hash to `data/weights`.

About half an hour on two cores; an interrupted run goes on where it stopped.
"""

from brew.paths import SCRATCH, WEIGHTS
from brew.pretraining.miniature_teacher import TeacherTraining, train_miniature_teacher


def main() -> None:
    weights = WEIGHTS / "miniature-teacher.pt"
    train_miniature_teacher(TeacherTraining(), weights, SCRATCH / "unfinished" / weights.name)
    print(f"{weights} written, its hash beside it")


if __name__ == "__main__":
    main()
