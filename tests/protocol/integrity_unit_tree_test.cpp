#include "integrity_vectors.hpp"

#include "protocol/base/bins.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace ppsp::integrity {
namespace {

constexpr std::uint32_t chunk_size = 512;

/// Counts what the tree computes.
class CountingHasher final : public Hasher {
public:
    std::size_t size() const override { return inner_->size(); }
    Hash digest(Bytes first, Bytes second) override
    {
        ++count;
        return inner_->digest(first, second);
    }
    std::size_t count = 0;

private:
    std::unique_ptr<Hasher> inner_ = make_hasher(wire::HashFunction::sha256);
};

class UnitTreeTest : public testing::Test {
protected:
    UnitTree source(ChunkId first, std::uint32_t chunk_count)
    {
        return UnitTree::build(hasher, first, chunk_count, chunk_size,
                               Bytes(content).subspan(to_number(first) * chunk_size,
                                                      std::size_t{chunk_count} * chunk_size));
    }
    Hash leaf(ChunkId chunk)
    {
        return hasher.leaf(Bytes(content).subspan(to_number(chunk) * chunk_size, chunk_size));
    }
    static std::vector<NodeHash> all_uncles(UnitTree const& tree, ChunkId chunk)
    {
        return tree.uncles(chunk, [](ChunkRange) { return false; });
    }

    ByteVector content = vectors::pattern(32 * chunk_size, 1);
    CountingHasher hasher;
    boost::json::value live = vectors::load("live_umt.json");
};

TEST_F(UnitTreeTest, S6_1_2_1_munros_equal_the_vectors)
{
    for (auto const& set : live.at("sets").as_array()) {
        auto const width = static_cast<std::uint32_t>(vectors::number(set.at("nchunks_per_sig")));
        for (auto const& munro : set.at("munros").as_array()) {
            UnitTree const tree = source(ChunkId{vectors::number(munro.at("first_chunk"))}, width);
            EXPECT_EQ(tree.munro(), vectors::hash(munro.at("munro_hash")));
            EXPECT_EQ(to_number(tree.chunks().last), vectors::number(munro.at("last_chunk")));
            EXPECT_EQ(bin_of(tree.chunks()), Bin{vectors::number(munro.at("munro_bin"))});
        }
    }
}

TEST_F(UnitTreeTest, S5_1_a_leaf_hashes_equal_the_vectors)
{
    auto const& leaves = live.at("leaf_hashes").as_array();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        EXPECT_EQ(leaf(ChunkId{i}), vectors::hash(leaves[i]));
        EXPECT_EQ(source(ChunkId{i}, 1).munro(), vectors::hash(leaves[i]));
    }
}

TEST_F(UnitTreeTest, S5_4_a_uncles_come_highest_first_and_stop_where_the_receiver_knows)
{
    UnitTree const tree = source(ChunkId{8}, 8);
    auto const cold = all_uncles(tree, ChunkId{13});
    ASSERT_EQ(cold.size(), 3u);
    EXPECT_EQ(cold[0].chunks, (ChunkRange{ChunkId{8}, ChunkId{11}}));
    EXPECT_EQ(cold[1].chunks, (ChunkRange{ChunkId{14}, ChunkId{15}}));
    EXPECT_EQ(cold[2].chunks, single(ChunkId{12}));
    EXPECT_EQ(cold[2].hash, leaf(ChunkId{12}));
    EXPECT_EQ(cold[0].hash, source(ChunkId{8}, 4).munro());

    auto const has = [](std::uint64_t id) {
        return [id](ChunkRange range) { return range.contains(ChunkId{id}); };
    };
    EXPECT_EQ(tree.uncles(ChunkId{13}, has(8)).size(), 2u);
    EXPECT_EQ(tree.uncles(ChunkId{13}, has(14)).size(), 1u);
    EXPECT_EQ(tree.uncles(ChunkId{13}, has(12)).size(), 0u);
}

TEST_F(UnitTreeTest, S5_2_a_a_chunk_counts_after_its_path_was_recomputed)
{
    UnitTree const tree = source(ChunkId{16}, 16);
    UnitTree receiver(ChunkId{16}, 16, tree.munro());
    EXPECT_FALSE(receiver.knows(ChunkId{20}));
    EXPECT_EQ(receiver.verify(hasher, ChunkId{20}, leaf(ChunkId{20}), {}),
              UnitTree::Verdict::missing_hash);
    Hash const hash = leaf(ChunkId{20});
    hasher.count = 0;
    EXPECT_EQ(receiver.verify(hasher, ChunkId{20}, hash, all_uncles(tree, ChunkId{20})),
              UnitTree::Verdict::verified);
    EXPECT_EQ(hasher.count, 4u);
    EXPECT_TRUE(receiver.knows(ChunkId{20}));
    // The sibling came along: it is known and costs nothing more.
    Hash const sibling = leaf(ChunkId{21});
    hasher.count = 0;
    EXPECT_EQ(receiver.verify(hasher, ChunkId{21}, sibling, {}), UnitTree::Verdict::verified);
    EXPECT_EQ(hasher.count, 0u);
    EXPECT_EQ(receiver.verify(hasher, ChunkId{21}, hash, {}), UnitTree::Verdict::mismatch);
}

TEST_F(UnitTreeTest, a_receiver_serves_what_it_verified)
{
    UnitTree const tree = source(ChunkId{0}, 8);
    UnitTree relay(ChunkId{0}, 8, tree.munro());
    auto const expected = all_uncles(tree, ChunkId{5});
    ASSERT_EQ(relay.verify(hasher, ChunkId{5}, leaf(ChunkId{5}), expected),
              UnitTree::Verdict::verified);
    auto const served = all_uncles(relay, ChunkId{5});
    ASSERT_EQ(served.size(), expected.size());
    for (std::size_t i = 0; i < served.size(); ++i) {
        EXPECT_EQ(served[i].chunks, expected[i].chunks);
        EXPECT_EQ(served[i].hash, expected[i].hash);
    }
}

TEST_F(UnitTreeTest, chunks_of_other_units_and_hashes_of_other_sizes_do_not_verify)
{
    UnitTree const tree = source(ChunkId{8}, 4);
    UnitTree receiver(ChunkId{8}, 4, tree.munro());
    for (std::uint64_t const other : {7U, 12U, 0U}) {
        EXPECT_EQ(receiver.verify(hasher, ChunkId{other}, leaf(ChunkId{other}), {}),
                  UnitTree::Verdict::missing_hash);
        EXPECT_FALSE(receiver.knows(ChunkId{other}));
    }
    auto offered = all_uncles(tree, ChunkId{8});
    offered.back().hash = Hash::zero(20);
    EXPECT_EQ(receiver.verify(hasher, ChunkId{8}, leaf(ChunkId{8}), offered),
              UnitTree::Verdict::missing_hash);
}

TEST_F(UnitTreeTest, T15_height_comes_from_the_chunk_number)
{
    // The two hashes below the munro, served as a chunk, hash to the munro; yet they stand at no
    // leaf's place.
    UnitTree const tree = source(ChunkId{0}, 4);
    Hash const right = all_uncles(tree, ChunkId{0}).front().hash;
    Hash const left = source(ChunkId{0}, 2).munro();
    ByteVector fake(left.bytes().begin(), left.bytes().end());
    fake.insert(fake.end(), right.bytes().begin(), right.bytes().end());
    ASSERT_EQ(hasher.leaf(fake), tree.munro());
    UnitTree receiver(ChunkId{0}, 4, tree.munro());
    EXPECT_EQ(receiver.verify(hasher, ChunkId{0}, hasher.leaf(fake), {}),
              UnitTree::Verdict::missing_hash);
    EXPECT_EQ(receiver.verify(hasher, ChunkId{0}, hasher.leaf(fake), all_uncles(tree, ChunkId{0})),
              UnitTree::Verdict::mismatch);
}

TEST_F(UnitTreeTest, widest_unit)
{
    ByteVector const payload = vectors::pattern(unit_chunks_max, 3);
    UnitTree const tree = UnitTree::build(hasher, ChunkId{0}, unit_chunks_max, 1, payload);
    UnitTree receiver(ChunkId{0}, unit_chunks_max, tree.munro());
    ChunkId const last{unit_chunks_max - 1};
    EXPECT_EQ(
        receiver.verify(hasher, last, hasher.leaf(Bytes(payload).last(1)), all_uncles(tree, last)),
        UnitTree::Verdict::verified);
}

TEST_F(UnitTreeTest, unit_of_one_chunk)
{
    UnitTree tree(ChunkId{3}, 1, leaf(ChunkId{3}));
    EXPECT_TRUE(all_uncles(tree, ChunkId{3}).empty());
    EXPECT_EQ(tree.verify(hasher, ChunkId{3}, leaf(ChunkId{3}), {}), UnitTree::Verdict::verified);
    EXPECT_EQ(tree.verify(hasher, ChunkId{3}, leaf(ChunkId{4}), {}), UnitTree::Verdict::mismatch);
}

/// Reads the datagrams of the vectors as a receiver that learns unit after unit.
TEST_F(UnitTreeTest, S6_1_2_3_c_hash_path_of_the_first_datagrams)
{
    std::optional<UnitTree> receiver;
    std::vector<std::string> seen;
    for (auto const& datagram : live.at("datagrams").as_array()) {
        ByteVector const bytes = vectors::bytes(datagram.at("hex"));
        ByteReader reader(Bytes(bytes).subspan(4));
        std::vector<NodeHash> offered;
        while (auto const type = reader.u8()) {
            ChunkId const first{*reader.u32()};
            ChunkRange const range{first, ChunkId{*reader.u32()}};
            if (*type == 4) {
                offered.push_back({range, Hash(*reader.take(32))});
            } else if (*type == 7) {
                (void)reader.take(8 + 64);
                ASSERT_EQ(offered.size(), 1u); // the munro comes right before its signature
                receiver.emplace(first, 4U, offered.front().hash);
                offered.clear();
            } else {
                ASSERT_EQ(*type, 1);
                (void)reader.u64();
                ASSERT_TRUE(receiver.has_value());
                Hash const hash = hasher.leaf(*reader.take(chunk_size));
                EXPECT_EQ(receiver->verify(hasher, first, hash, offered),
                          UnitTree::Verdict::verified);
                seen.push_back(std::to_string(to_number(first)) + "+" +
                               std::to_string(offered.size()));
            }
        }
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"5+2", "4+0", "6+1"}));
}

} // namespace
} // namespace ppsp::integrity
