#include "peer/decade/object_table.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::peer {
namespace {

class ObjectTableTest : public testing::Test {
protected:
    [[nodiscard]] NiName name(int number)
    {
        return NiName::of(*hasher, as_bytes(std::to_string(number)));
    }
    [[nodiscard]] ObjectMeta meta(int number, std::uint64_t size = 100, UnixSeconds expires = 1000)
    {
        return {name(number), size, 0, expires, "video/mp2t", {}, {}, "owner"};
    }
    [[nodiscard]] ObjectMeta units(int number, std::uint64_t first)
    {
        auto one = meta(number);
        one.swarm_id = swarm;
        one.chunks = ChunkRange{ChunkId{first}, ChunkId{first + 15}};
        return one;
    }
    void put(ObjectMeta const& one)
    {
        ASSERT_TRUE(table.reserve(one.size).has_value());
        table.release(one.size);
        table.insert(one, true);
    }

    std::unique_ptr<integrity::Hasher> hasher = integrity::make_hasher(wire::HashFunction::sha256);
    ByteVector const swarm{13, 1, 2, 3};
    ObjectTable table{1000};
};

TEST_F(ObjectTableTest, what_was_put_is_found_until_it_expires)
{
    put(meta(1, 100, 50));
    ASSERT_NE(table.find(name(1), 49), nullptr);
    EXPECT_EQ(table.find(name(1), 49)->meta, meta(1, 100, 50));
    EXPECT_EQ(table.find(name(1), 50), nullptr);
    EXPECT_EQ(table.find(name(2), 0), nullptr);
    EXPECT_TRUE(table.expire(49).empty());
    EXPECT_EQ(table.expire(50), (std::vector{name(1)}));
    EXPECT_EQ(table.count(), 0u);
    EXPECT_EQ(table.bytes(), 0u);
    EXPECT_EQ(table.stored_by("owner"), 0u);
}

TEST_F(ObjectTableTest, the_longest_unused_makes_room)
{
    for (int i = 0; i < 10; ++i) {
        put(meta(i));
    }
    EXPECT_EQ(table.bytes(), 1000u);
    table.touch(*table.find(name(0), 0), 7);
    EXPECT_EQ(table.reserve(150), (std::vector{name(1), name(2)}));
    EXPECT_NE(table.find(name(0), 0), nullptr);
    // What is reserved counts like what is there.
    EXPECT_EQ(table.reserve(50), (std::vector<NiName>{}));
    EXPECT_EQ(table.reserve(1), (std::vector{name(3)}));
    EXPECT_EQ(table.reserve(900), std::nullopt);
    table.release(150);
    EXPECT_EQ(table.reserve(150), (std::vector<NiName>{}));
    EXPECT_EQ(table.reserve(100), (std::vector{name(4)}));
}

TEST_F(ObjectTableTest, an_object_beyond_the_limit_evicts_nobody)
{
    put(meta(1));
    EXPECT_EQ(table.reserve(1001), std::nullopt);
    EXPECT_NE(table.find(name(1), 0), nullptr);
    EXPECT_EQ(table.reserve(1000)->size(), 1u);
}

TEST_F(ObjectTableTest, an_object_that_comes_again_replaces_the_first)
{
    put(meta(1, 100, 50));
    put(meta(1, 100, 500));
    EXPECT_EQ(table.count(), 1u);
    EXPECT_EQ(table.bytes(), 100u);
    EXPECT_TRUE(table.expire(50).empty());
    EXPECT_EQ(table.expire(500).size(), 1u);
}

TEST_F(ObjectTableTest, units_are_found_by_chunk)
{
    put(units(1, 0));
    put(units(2, 16));
    put(units(3, 48));
    EXPECT_EQ(table.find_alias(swarm, {ChunkId{16}, ChunkId{31}}), name(2));
    EXPECT_EQ(table.find_alias(swarm, {ChunkId{16}, ChunkId{30}}), std::nullopt);
    EXPECT_EQ(table.find_alias(ByteVector{1}, {ChunkId{16}, ChunkId{31}}), std::nullopt);
    auto const newest = table.objects_of(swarm, 2);
    ASSERT_EQ(newest.size(), 2u);
    EXPECT_EQ(newest[0]->meta.name, name(2));
    EXPECT_EQ(newest[1]->meta.name, name(3));
    EXPECT_TRUE(table.erase(name(2)));
    EXPECT_FALSE(table.erase(name(2)));
    EXPECT_EQ(table.find_alias(swarm, {ChunkId{16}, ChunkId{31}}), std::nullopt);
    EXPECT_EQ(table.swarm_count(), 1u);
    table.erase(name(1));
    table.erase(name(3));
    EXPECT_EQ(table.swarm_count(), 0u);
}

TEST_F(ObjectTableTest, a_second_object_with_the_same_chunks_takes_the_alias_and_keeps_it)
{
    put(units(1, 0));
    put(units(2, 0));
    ChunkRange const chunks{ChunkId{0}, ChunkId{15}};
    EXPECT_EQ(table.find_alias(swarm, chunks), name(2));
    table.erase(name(1));
    EXPECT_EQ(table.find_alias(swarm, chunks), name(2));
}

TEST_F(ObjectTableTest, reports_list_the_latest_of_an_owner)
{
    for (int i = 0; i < 5; ++i) {
        auto one = meta(i);
        one.owner = i % 2 == 0 ? "even" : "odd";
        put(one);
    }
    EXPECT_EQ(table.stored_by("even"), 300u);
    EXPECT_EQ(table.listed("even", 10).size(), 3u);
    EXPECT_EQ(table.listed("", 4).size(), 4u);
    EXPECT_EQ(table.listed("odd", 1).front()->meta.name, name(3));
}

RC_GTEST_PROP(ObjectTableProperty, sums_and_limits_hold_whatever_happens, ())
{
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    ObjectTable table(500);
    std::map<NiName, std::uint64_t> model;
    auto const steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
        auto const number = *rc::gen::inRange(0, 12);
        auto const name = NiName::of(*hasher, as_bytes(std::to_string(number)));
        if (*rc::gen::inRange(0, 3) == 0) {
            RC_ASSERT(table.erase(name) == (model.erase(name) > 0));
            continue;
        }
        auto const size = *rc::gen::inRange<std::uint64_t>(0, 200);
        auto const gone = table.reserve(size);
        RC_ASSERT(gone.has_value());
        for (auto const& one : *gone) {
            RC_ASSERT(model.erase(one) == 1u);
        }
        table.release(size);
        table.insert({name, size, 0, 10, "", {13}, ChunkRange{ChunkId{0}, ChunkId{15}}, "o"}, true);
        model[name] = size;
        std::uint64_t sum = 0;
        for (auto const& [known, bytes] : model) {
            RC_ASSERT(table.find(known, 0) != nullptr);
            sum += bytes;
        }
        RC_ASSERT(table.bytes() == sum);
        RC_ASSERT(table.stored_by("o") == sum);
        RC_ASSERT(sum <= 500u);
        RC_ASSERT(table.count() == model.size());
    }
}

} // namespace
} // namespace ppsp::peer
