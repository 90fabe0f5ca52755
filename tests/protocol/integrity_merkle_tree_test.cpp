#include "integrity_vectors.hpp"

#include "protocol/integrity/merkle_tree.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <gtest/gtest.h>

namespace ppsp::integrity {
namespace {

ByteVector content_of(boost::json::value const& vector)
{
    auto const* hex = vector.as_object().if_contains("content_hex");
    return hex != nullptr ? vectors::bytes(*hex)
                          : vectors::pattern(vectors::number(vector.at("content_length")), 0);
}

std::vector<std::uint64_t> numbers_of(std::vector<NodeHash> const& nodes)
{
    std::vector<std::uint64_t> numbers;
    for (auto const& node : nodes) {
        numbers.push_back(to_number(*bin_of(node.chunks)));
    }
    return numbers;
}

std::vector<std::uint64_t> numbers_of(boost::json::value const& list)
{
    return boost::json::value_to<std::vector<std::uint64_t>>(list);
}

class MerkleVectors : public testing::TestWithParam<std::size_t> {
protected:
    boost::json::value vector = vectors::load("merkle.json").at("cases").at(GetParam());
    std::unique_ptr<Hasher> hasher =
        make_hasher(static_cast<wire::HashFunction>(vectors::number(vector.at("hash_function"))));
    MerkleTree tree =
        MerkleTree::from_content(
            *hasher, static_cast<std::uint32_t>(vectors::number(vector.at("chunk_size"))),
            content_of(vector))
            .value();
};

INSTANTIATE_TEST_SUITE_P(Cases, MerkleVectors, testing::Range<std::size_t>(0, 29));

TEST_P(MerkleVectors, S5_1_a_root_and_peaks)
{
    EXPECT_EQ(tree.shape().chunk_count(), vectors::number(vector.at("nchunks")));
    EXPECT_EQ(to_number(tree.shape().root()), vectors::number(vector.at("root_bin")));
    EXPECT_EQ(tree.root(), vectors::hash(vector.at("root")));
    auto const& expected = vector.at("peaks").as_array();
    auto const peaks = tree.peaks();
    ASSERT_EQ(peaks.size(), expected.size());
    for (std::size_t i = 0; i < peaks.size(); ++i) {
        EXPECT_EQ(to_number(*bin_of(peaks[i].chunks)), vectors::number(expected[i].at("bin")));
        EXPECT_EQ(to_number(peaks[i].chunks.first), vectors::number(expected[i].at("first_chunk")));
        EXPECT_EQ(to_number(peaks[i].chunks.last), vectors::number(expected[i].at("last_chunk")));
        EXPECT_EQ(peaks[i].hash, vectors::hash(expected[i].at("hash")));
    }
}

TEST_P(MerkleVectors, S5_1_a_all_nodes)
{
    auto const* nodes = vector.as_object().if_contains("nodes");
    if (nodes == nullptr) {
        return; // large trees come with their roots only
    }
    for (auto const& [number, hash] : nodes->as_object()) {
        Bin const bin{std::stoull(std::string(number))};
        EXPECT_TRUE(tree.shape().is_node(bin));
        EXPECT_EQ(tree.node(bin), vectors::hash(hash)) << number;
    }
}

TEST_P(MerkleVectors, S5_4_a_uncles_and_minimal_lists)
{
    if (vector.as_object().if_contains("nodes") == nullptr) {
        return;
    }
    auto const compare = [&](char const* name, char const* list, Top top, bool in_order) {
        for (auto const& entry : vector.at(name).as_array()) {
            ChunkId const chunk{vectors::number(entry.at("chunk"))};
            // In order, the receiver has all chunks before this one.
            auto const uncles = tree.uncles(
                chunk, top, [&](ChunkRange range) { return in_order && range.first < chunk; });
            EXPECT_EQ(numbers_of(uncles), numbers_of(entry.at(list))) << name << to_number(chunk);
            for (auto const& uncle : uncles) {
                EXPECT_EQ(uncle.hash, tree.node(*bin_of(uncle.chunks)));
            }
        }
    };
    compare("uncles_to_root", "bins", Top::root, false);
    compare("uncles_to_peak", "bins", Top::peak, false);
    compare("sequential_from_root", "hashes", Top::root, true);
    compare("sequential_from_peaks", "hashes", Top::peak, true);
}

TEST(Ppspp, S6_1_2_1_a_broadcast_becomes_static_content)
{
    auto const live = vectors::load("live_umt.json");
    auto const hasher = make_hasher(wire::HashFunction::sha256);
    std::vector<Hash> leaves;
    for (auto const& leaf : live.at("leaf_hashes").as_array()) {
        leaves.push_back(vectors::hash(leaf));
    }
    auto const tree = MerkleTree::from_leaves(*hasher, leaves).value();
    auto const& expected = live.at("final_tree");
    EXPECT_EQ(tree.root(), vectors::hash(expected.at("root")));
    EXPECT_EQ(to_number(tree.shape().root()), vectors::number(expected.at("root_bin")));
    auto const peaks = tree.peaks();
    ASSERT_EQ(peaks.size(), expected.at("peaks").as_array().size());
    for (std::size_t i = 0; i < peaks.size(); ++i) {
        auto const& peak = expected.at("peaks").at(i);
        EXPECT_EQ(to_number(*bin_of(peaks[i].chunks)), vectors::number(peak.at("bin")));
        EXPECT_EQ(peaks[i].hash, vectors::hash(peak.at("hash")));
    }
    for (auto const& set : live.at("sets").as_array()) {
        for (auto const& munro : set.at("munros").as_array()) {
            EXPECT_EQ(tree.node(Bin{vectors::number(munro.at("munro_bin"))}),
                      vectors::hash(munro.at("munro_hash")));
        }
    }
}

TEST(MerkleTree, what_has_no_tree)
{
    auto const hasher = make_hasher(wire::HashFunction::sha256);
    EXPECT_EQ(MerkleTree::from_content(*hasher, 1024, {}).error(), TreeError::empty);
    EXPECT_EQ(MerkleTree::from_content(*hasher, 0, as_bytes("x")).error(),
              TreeError::bad_chunk_size);
    EXPECT_EQ(MerkleTree::from_leaves(*hasher, {}).error(), TreeError::empty);
    EXPECT_EQ(MerkleTree::from_leaves(*hasher, std::vector{Hash::zero(32)}).error(),
              TreeError::bad_leaf);
    EXPECT_EQ(MerkleTree::from_leaves(*hasher, std::vector{Hash(as_bytes("short"))}).error(),
              TreeError::bad_leaf);
    // Neither list is read beyond its size.
    std::uint8_t const byte = 0;
    EXPECT_EQ(MerkleTree::from_content(*hasher, 1, Bytes(&byte, static_chunks_max + 1)).error(),
              TreeError::too_large);
}

} // namespace
} // namespace ppsp::integrity
