import torch

from unlearnable.training.pgd import PGD


def test_steps_have_a_size_and_end_at_the_ball():
    images, slope = torch.full((1, 3, 2, 2), 0.5), torch.tensor([3.0, -0.01, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    for steps, way in ((1, 2.0), (3, 6.0), (4, 8.0), (9, 8.0)):
        pgd, expected = PGD(8, 2, steps), torch.tensor([way, -way, 0.0])
        nothing = torch.zeros_like(images)
        torch.testing.assert_close(pgd.ascend(images, nothing, lambda _: slope)[0, :, 0, 0] * 255, expected)
        torch.testing.assert_close(pgd.descend(images, nothing, lambda _: slope)[0, :, 1, 1] * 255, -expected)


def test_the_gradient_is_taken_at_pictures():
    seen = []
    images = torch.tensor([0.0, 1.0, 0.5]).view(1, 3, 1, 1)
    PGD(8, 4, 3).descend(images, torch.full_like(images, 8 / 255), lambda at: seen.append(at) or torch.ones_like(at))
    for at in seen:
        assert at.min() >= 0 and at.max() <= 1
    torch.testing.assert_close(torch.stack(seen)[:, 0, :, 0, 0] * 255 - images.flatten() * 255, WALK)


WALK = torch.tensor([[8.0, 0.0, 8.0], [4.0, -4.0, 4.0], [0.0, -8.0, 0.0]])
