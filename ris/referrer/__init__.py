"""Who sends patients here: referrers, where they practise, how results reach them, what other systems call them."""
