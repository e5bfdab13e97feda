"""Protections that take hours at their defaults: the same algorithms, a little of each."""

QUICK = {
    "em": "em:surrogate=resnet9:width=4,train_steps=2,steps=2,stop=1",
    "entf": "entf:surrogate=resnet9:width=2,recipe=quick:epochs=1,passes=2",
    "rem": "rem:surrogate=resnet9:width=4,iterations=2,steps=2,draws=2,adversary_steps=2",
    "sem": "sem:surrogate=resnet9:width=4,iterations=2,steps=2,draws=2,adversary_steps=2",
    "tap": "tap:surrogate=resnet9:width=2,recipe=quick:epochs=1,passes=2,restarts=2",
}
