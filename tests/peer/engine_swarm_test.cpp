#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

namespace ppsp::test {
namespace {

TEST(Swarm, one_viewer_gets_exactly_what_the_source_cut)
{
    VirtualSwarm swarm{1};
    swarm.add_source({});
    swarm.run_for(3s);
    VirtualNode& viewer = swarm.add_viewer();
    swarm.introduce(viewer);
    swarm.run_for(20s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    EXPECT_GT(figures.continuity(), 0.999);
    EXPECT_EQ(figures.stalls, 0u);
    EXPECT_LT(figures.startup.value_or(1h), 1500ms);
    EXPECT_GT(viewer.output.size(), 16u * 1024 * 20 * 17);
    EXPECT_EQ(figures.bad_chunks, 0u);
}

} // namespace
} // namespace ppsp::test
