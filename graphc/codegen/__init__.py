"""From fused groups to source text: the loop IR, lowering, schedules, and the renderers."""
