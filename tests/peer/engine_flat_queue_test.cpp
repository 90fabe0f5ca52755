#include "peer/channel/flat_queue.hpp"
#include "protocol/base/rng.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>

namespace ppsp::peer {
namespace {

TEST(FlatQueueTest, does_what_a_deque_does)
{
    Rng rng{3};
    FlatQueue<int> queue;
    std::deque<int> model;
    for (int i = 0; i < 20'000; ++i) {
        // Grows, shrinks and grows again.
        bool const grows = (i / 2000) % 2 == 0;
        std::uint64_t const what = rng.below(20);
        if (model.empty() || what < (grows ? 10U : 5U)) {
            queue.push_back(i);
            model.push_back(i);
        } else if (what < 15) {
            queue.pop_front();
            model.pop_front();
        } else if (what < 17) {
            queue.pop_back();
            model.pop_back();
        } else if (what < 19) {
            auto const at = static_cast<std::ptrdiff_t>(rng.below(model.size() + 1));
            queue.insert(queue.begin() + at, -i);
            model.insert(model.begin() + at, -i);
        } else {
            auto const is_dropped = [](int item) { return item % 5 == 0; };
            queue.erase_if(is_dropped);
            std::erase_if(model, is_dropped);
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        ASSERT_TRUE(std::equal(queue.begin(), queue.end(), model.begin(), model.end()));
        if (!model.empty()) {
            ASSERT_EQ(queue.front(), model.front());
            ASSERT_EQ(queue.back(), model.back());
        }
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
}

TEST(FlatQueueTest, keeps_its_memory)
{
    FlatQueue<int> queue;
    for (int i = 0; i < 100; ++i) {
        queue.push_back(i);
    }
    auto const turn_over = [&](int times) {
        for (int i = 0; i < times; ++i) {
            queue.pop_front();
            queue.push_back(i);
        }
        return &queue.front();
    };
    int const* const before = turn_over(1000); // it has found its size
    int const* const after = turn_over(100'000);
    EXPECT_EQ(queue.size(), 100u);
    EXPECT_LT(std::abs(after - before), 256) << "it lies where it lay";
}

} // namespace
} // namespace ppsp::peer
