#include "peer/decade/cdn_folder.hpp"
#include "peer/storage/munro_recorder.hpp"
#include "peer/storage/object_collector.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

#include <fstream>
#include <iterator>

namespace ppsp::peer {
namespace {

using decade::test::Channel;

constexpr decade::ObjectFormat small{wire::AddressingMode::chunk32, 16, 4};

class PublishTest : public testing::Test {
protected:
    void SetUp() override
    {
        folder = std::filesystem::path(testing::TempDir()) /
                 ("ppsp-publish-" + std::to_string(::getpid()) + "-" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::remove_all(folder);
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    [[nodiscard]] CollectedUnit unit(std::uint64_t index)
    {
        auto made = channel.unit(index, small);
        return {
            made.chunks, made.signed_at, std::move(made.signature), std::move(made.payload), {}};
    }
    [[nodiscard]] ObjectCollector collector(Duration unit_time)
    {
        return ObjectCollector(small, channel.id, unit_time, *channel.hasher);
    }
    /// The object of units `first` and the next.
    [[nodiscard]] CollectedObject object(std::uint64_t first)
    {
        auto two = collector(250ms);
        EXPECT_FALSE(two.add(unit(first), Channel::start));
        auto made = two.add(unit(first + 1), Channel::start);
        EXPECT_TRUE(made.has_value());
        return std::move(*made);
    }
    [[nodiscard]] ByteVector read(std::string const& url_path) const
    {
        std::ifstream file(folder / url_path.substr(1), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }
    [[nodiscard]] std::size_t files() const
    {
        std::size_t count = 0;
        for (auto const& entry : std::filesystem::recursive_directory_iterator(folder)) {
            count += entry.is_regular_file() ? 1 : 0;
        }
        return count;
    }

    Channel channel;
    std::filesystem::path folder;
};

TEST_F(PublishTest, half_a_second_of_units_is_an_object_that_verifies)
{
    auto ten = collector(50ms);
    EXPECT_EQ(ten.units_per_object(), 10u);
    std::optional<CollectedObject> made;
    for (std::uint64_t i = 0; i < 10; ++i) {
        ASSERT_FALSE(made);
        auto one = unit(100 + i);
        if (i == 3) {
            one.random_access_offset = 33; // third chunk of 16 bytes
        }
        made = ten.add(std::move(one), Channel::start);
    }
    ASSERT_TRUE(made);
    auto const view = decade::read_object(made->bytes);
    ASSERT_TRUE(view.has_value());
    integrity::OpensslChecker checker;
    EXPECT_TRUE(verify_object(*view, channel.id, *channel.hasher, checker).has_value());
    EXPECT_EQ(made->entry.chunks, (ChunkRange{ChunkId{400}, ChunkId{439}}));
    EXPECT_EQ(made->entry.bytes, made->bytes.size());
    EXPECT_EQ(made->entry.name, decade::NiName::of(*channel.hasher, made->bytes));
    EXPECT_EQ(made->entry.random_access, (std::vector{ChunkId{400 + 12 + 2}}));
    EXPECT_NEAR(static_cast<double>(made->entry.last_signed - made->entry.first_signed), 450'000,
                2);
    EXPECT_FALSE(ten.finish(Channel::start));
}

TEST_F(PublishTest, lengths_of_units_that_are_odd)
{
    EXPECT_EQ(collector(1s).units_per_object(), 1u);
    EXPECT_EQ(collector(0s).units_per_object(), decade::object_units_max);
    EXPECT_EQ(collector(200ms).units_per_object(), 2u);
    ObjectCollector large({wire::AddressingMode::chunk32, 8192, 1024}, channel.id, 10ms,
                          *channel.hasher);
    EXPECT_EQ(large.units_per_object(), 1u);
}

TEST_F(PublishTest, a_gap_ends_an_object)
{
    auto ten = collector(50ms);
    EXPECT_FALSE(ten.add(unit(1), Channel::start));
    EXPECT_FALSE(ten.add(unit(2), Channel::start));
    auto const before = ten.add(unit(47), Channel::start);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->entry.chunks, (ChunkRange{ChunkId{4}, ChunkId{11}}));
    auto const after = ten.finish(Channel::start);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->entry.chunks, (ChunkRange{ChunkId{188}, ChunkId{191}}));
    auto const index = ten.index(Channel::start);
    ASSERT_EQ(index.objects.size(), 2u);
    EXPECT_EQ(index.objects[1], after->entry);
}

TEST_F(PublishTest, the_index_is_bounded_and_its_number_grows)
{
    auto one = collector(1s);
    for (std::uint64_t i = 0; i < ObjectCollector::index_objects + 5; ++i) {
        ASSERT_TRUE(one.add(unit(i), Channel::start).has_value());
    }
    auto const first = one.index(Channel::start);
    EXPECT_EQ(first.objects.size(), ObjectCollector::index_objects);
    EXPECT_EQ(first.objects.front().chunks.first, ChunkId{20});
    EXPECT_EQ(first.sequence, static_cast<std::uint64_t>(Channel::start / 1000));
    EXPECT_EQ(one.index(Channel::start).sequence, first.sequence + 1);
    EXPECT_EQ(one.index(Channel::start - 5'000'000).sequence,
              first.sequence + 2); // a clock set back
    EXPECT_EQ(one.index(Channel::start + 5'000'000).sequence, first.sequence + 5'000);
    integrity::OpensslChecker checker;
    auto const text = to_text(first, *channel.signer);
    EXPECT_EQ(decade::parse_index(text, channel.id, checker), first);
}

TEST_F(PublishTest, a_folder_is_what_a_web_server_needs)
{
    auto opened = CdnFolder::open(folder, channel.id);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    auto const made = object(4);
    ASSERT_TRUE(opened->publish(made, "index").has_value());
    EXPECT_EQ(read(made.entry.name.path()), made.bytes);
    EXPECT_EQ(read(decade::alias_path(channel.id, made.entry.chunks)), made.bytes);
    EXPECT_EQ(read(decade::index_path(channel.id)), (ByteVector{'i', 'n', 'd', 'e', 'x'}));
    EXPECT_EQ(files(), 3u);                                  // and nothing half written
    ASSERT_TRUE(opened->publish(made, "index").has_value()); // a source that was set back
    EXPECT_EQ(read(made.entry.name.path()), made.bytes);
}

TEST_F(PublishTest, old_files_go_also_those_of_an_earlier_run)
{
    auto const all = CdnFolder::objects_max;
    for (std::size_t run = 0; run < 2; ++run) {
        auto opened = CdnFolder::open(folder, channel.id);
        ASSERT_TRUE(opened.has_value());
        for (std::size_t i = 0; i < all - 10; ++i) {
            ASSERT_TRUE(opened->publish(object(2 * (run * 1000 + i)), "index").has_value());
        }
    }
    EXPECT_EQ(files(), 2 * all + 1);
    Channel other; // another channel in the same folder is left alone
    ASSERT_TRUE(CdnFolder::open(folder, other.id).has_value());
    EXPECT_EQ(files(), 2 * all + 1);
}

TEST_F(PublishTest, a_folder_that_cannot_be_written_is_a_sentence)
{
    std::ofstream(folder) << "a file";
    auto const opened = CdnFolder::open(folder, channel.id);
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().find(folder.string()), std::string::npos);
}

TEST_F(PublishTest, the_recorder_gives_what_the_engine_signed)
{
    MunroRecorder recorder(*channel.signer, wire::AddressingMode::chunk32);
    EXPECT_EQ(recorder.swarm_id(), channel.id);
    EXPECT_FALSE(recorder.take().has_value());
    auto const input =
        integrity::munro_signature_input(wire::AddressingMode::chunk32, {ChunkId{16}, ChunkId{31}},
                                         NtpTime{77}, integrity::Hash(ByteVector(32, 1)));
    auto const signature = recorder.sign(input);
    auto const munro = recorder.take();
    ASSERT_TRUE(munro.has_value());
    EXPECT_EQ(munro->chunks, (ChunkRange{ChunkId{16}, ChunkId{31}}));
    EXPECT_EQ(munro->signed_at, NtpTime{77});
    EXPECT_EQ(munro->signature, signature);
    EXPECT_FALSE(recorder.take().has_value());
}

} // namespace
} // namespace ppsp::peer
