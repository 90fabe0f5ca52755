#include "peer/shell/channel_link.hpp"
#include "peer/shell/recording_file.hpp"
#include "peer/shell/stream_recorder.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/recording_world.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace ppsp::peer {
namespace {

class RecordingFileTest : public ::testing::Test {
protected:
    RecordingFileTest()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "ppsp-rec-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    ~RecordingFileTest() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] static ByteVector contents(std::filesystem::path const& path)
    {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }
    static void fill(std::filesystem::path const& path, ByteVector const& bytes)
    {
        std::ofstream file(path, std::ios::binary);
        std::copy(bytes.begin(), bytes.end(), std::ostreambuf_iterator<char>(file));
    }

    std::filesystem::path folder_;
};

TEST_F(RecordingFileTest, what_was_written_can_be_read_at_once_in_any_order)
{
    ByteVector const content = test::random_content(700'000);
    auto const file = *RecordingFile::create((folder_ / "file").string(), 700'000);
    Rng rng{7};
    std::vector<std::size_t> chunks(684);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        chunks[i] = i;
    }
    rng.shuffle(std::span{chunks});
    for (std::size_t const chunk : chunks) {
        std::size_t const at = chunk * 1024;
        Bytes const piece = Bytes{content}.subspan(at, std::min<std::size_t>(1024, 700'000 - at));
        ASSERT_TRUE(file->write(at, piece));
        if (chunk % 3 == 0) {
            Bytes const back = file->read(at, piece.size());
            ASSERT_TRUE(std::equal(back.begin(), back.end(), piece.begin(), piece.end())) << chunk;
        }
    }
    ASSERT_TRUE(file->finish(700'000));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(contents(folder_ / "file"), content);
}

/// As many neighbours as a node has fetch the file, each another slab, one chunk by turns.
TEST_F(RecordingFileTest, a_slab_is_read_once_for_all_its_chunks_whoever_else_is_served_meanwhile)
{
    constexpr std::size_t neighbours = NodeConfig{}.neighbours_max;
    constexpr std::size_t slab = std::size_t{64} << 10;
    ByteVector const content = test::random_content(neighbours * slab - 100);
    fill(folder_ / "file", content);
    auto const file = *RecordingFile::open((folder_ / "file").string());
    for (std::size_t chunk = 0; chunk < 64; ++chunk) {
        for (std::size_t neighbour = 0; neighbour < neighbours; ++neighbour) {
            std::size_t const at = neighbour * slab + chunk * 1024;
            Bytes const piece =
                Bytes{content}.subspan(at, std::min<std::size_t>(1024, content.size() - at));
            Bytes const read = file->read(at, piece.size());
            ASSERT_TRUE(std::ranges::equal(read, piece));
        }
    }
    EXPECT_EQ(file->disk_reads(), neighbours);
}

TEST_F(RecordingFileTest, reads_across_blocks_and_of_any_size_are_right)
{
    ByteVector const content = test::random_content(300'000);
    fill(folder_ / "file", content);
    auto const file = *RecordingFile::open((folder_ / "file").string());
    for (std::size_t const size :
         {1U, 1000U, 1024U, 65'535U, 65'536U, 65'537U, 200'000U, 300'000U}) {
        for (std::size_t at = 0; at + size <= content.size();
             at += std::max<std::size_t>(size, 777)) {
            ASSERT_TRUE(std::ranges::equal(file->read(at, size), Bytes{content}.subspan(at, size)))
                << size << " bytes at " << at;
        }
    }
    EXPECT_TRUE(file->read(299'999, 2).empty());
    EXPECT_FALSE(file->error().empty());
}

/// Nobody told how long it gets: blocks are short at its end, and grow.
TEST_F(RecordingFileTest, a_file_that_grows_can_be_read_while_it_does)
{
    ByteVector const content = test::random_content(200'000);
    auto const file = *RecordingFile::create((folder_ / "file").string(), std::nullopt);
    std::size_t written = 0;
    auto const write_to = [&](std::size_t end) {
        ASSERT_TRUE(file->write(written, Bytes{content}.subspan(written, end - written)));
        written = end;
    };
    for (std::size_t const end : {1'024U, 3'000U, 65'000U, 66'000U, 131'072U, 140'000U, 200'000U}) {
        write_to(end);
        EXPECT_TRUE(std::ranges::equal(file->read(0, 1'000), Bytes{content}.first(1'000)));
        EXPECT_TRUE(
            std::ranges::equal(file->read(end - 700, 700), Bytes{content}.subspan(end - 700, 700)))
            << end;
    }
}

TEST_F(RecordingFileTest, two_programs_do_not_write_one_file)
{
    auto const first = RecordingFile::create((folder_ / "file").string(), std::nullopt);
    ASSERT_TRUE(first);
    ASSERT_TRUE((*first)->write(0, ByteVector(1024, 1)));
    auto const second = RecordingFile::create((folder_ / "file").string(), std::nullopt);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("another program is writing"), std::string::npos);
    ASSERT_TRUE((*first)->finish(1024));
    EXPECT_EQ(contents(folder_ / "file"), ByteVector(1024, 1));
}

TEST_F(RecordingFileTest, a_file_that_became_shorter_is_read_as_far_as_it_goes)
{
    fill(folder_ / "file", test::random_content(300'000));
    auto const file = *RecordingFile::open((folder_ / "file").string());
    std::filesystem::resize_file(folder_ / "file", 100'000);
    EXPECT_EQ(file->read(0, 1024).size(), 1024U);
    EXPECT_TRUE(file->read(262'144, 1024).empty());
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto const tree = hash_recording(*file, *hasher, 1024, {});
    ASSERT_FALSE(tree);
    EXPECT_NE(tree.error().find("shorter"), std::string::npos);
}

TEST_F(RecordingFileTest, the_tree_is_that_of_the_content_and_progress_is_told)
{
    ByteVector const content = test::random_content(40'000'123);
    fill(folder_ / "file", content);
    auto const file = *RecordingFile::open((folder_ / "file").string());
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    int told = 0;
    auto const tree = hash_recording(*file, *hasher, 1024, [&](std::uint64_t) {
        ++told;
        return true;
    });
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)->root(), integrity::MerkleTree::from_content(*hasher, 1024, content)->root());
    EXPECT_EQ(told, 3);
    EXPECT_FALSE(hash_recording(*file, *hasher, 1024, [](std::uint64_t) { return false; }));
}

TEST_F(RecordingFileTest, a_stream_becomes_a_recording)
{
    ByteVector const content = test::random_content(64 * 1024 * 20);
    std::vector<TrackerTier> const trackers{{*parse_tracker_url("http://tracker.example:7846")}};
    auto const recorder = *StreamRecorder::open((folder_ / "rec").string(), trackers);
    for (std::size_t at = 0; at < content.size(); at += 64 * 1024) {
        ASSERT_TRUE(recorder->add(Bytes{content}.subspan(at, 64 * 1024)));
    }
    auto const finished = recorder->finish();
    ASSERT_TRUE(finished);
    ASSERT_TRUE(*finished);
    EXPECT_EQ(contents((*finished)->file), content);
    auto const link = parse_link((*finished)->link);
    ASSERT_TRUE(link);
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    auto const root = integrity::MerkleTree::from_content(*hasher, 1024, content)->root();
    EXPECT_EQ(link->swarm, ByteVector(root.bytes().begin(), root.bytes().end()));
    EXPECT_EQ(link->length, content.size());
}

TEST_F(RecordingFileTest, a_stream_of_nothing_leaves_nothing)
{
    auto const recorder = *StreamRecorder::open((folder_ / "rec").string(), {});
    auto const finished = recorder->finish();
    ASSERT_TRUE(finished);
    EXPECT_FALSE(*finished);
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / "rec"));
}

TEST_F(RecordingFileTest, a_disk_that_does_not_keep_up_ends_the_recording)
{
    auto const recorder = *StreamRecorder::open((folder_ / "rec").string(), {});
    ByteVector const too_much(StreamRecorder::waiting_bytes_max + 1);
    EXPECT_FALSE(recorder->add(too_much));
    EXPECT_NE(recorder->error().find("too slow"), std::string::npos);
    EXPECT_FALSE(recorder->add(ByteVector(1024))) << "nothing more is taken";
}

} // namespace
} // namespace ppsp::peer
