# Scenarios: stories of the trade, told to whole shards in the simulated world.
outbox_test(scenario_test
  FILES
    scenario/shard_story.cc
    scenario/shard_test.cc
  LINK outbox_home simulation_harness
  LABEL scenario
)
