"""Networks: the student (stems, a trunk, heads), its frozen teachers, and the released checkpoints."""
