PIRN_STATIC_ASSERT(sizeof(pirn_ready) == 32, "the layout of pirn_ready");
PIRN_STATIC_ASSERT(sizeof(pirn_loop_stats) == 88, "the layout of pirn_loop_stats");
