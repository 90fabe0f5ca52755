#include "peer/shell/key_state.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>

namespace ppsp::peer {
namespace {

class KeyStateTest : public testing::Test {
protected:
    KeyStateTest()
    {
        std::string name = testing::TempDir() + "shell_key_state_XXXXXX";
        folder = ::mkdtemp(name.data());
        key = folder / "channel.key";
        std::ofstream(key) << "key";
    }
    ~KeyStateTest() override { std::filesystem::remove_all(folder); }

    KeyStateFile open()
    {
        auto opened = KeyStateFile::open(key);
        EXPECT_TRUE(opened) << opened.error();
        return *std::move(opened);
    }
    std::string error()
    {
        auto const opened = KeyStateFile::open(key);
        EXPECT_FALSE(opened);
        return opened ? "" : opened.error();
    }
    void write_state(std::string const& text)
    {
        std::ofstream(folder / "channel.key.state") << text;
    }

    std::filesystem::path folder;
    std::filesystem::path key;
};

TEST_F(KeyStateTest, a_new_key_starts_at_nothing)
{
    EXPECT_EQ(open().state(), KeyState{});
}

TEST_F(KeyStateTest, after_a_clean_end_the_next_run_goes_on_exactly_behind)
{
    EXPECT_TRUE(open().close(ChunkId{4711}, 32));
    EXPECT_EQ(open().state(), (KeyState{ChunkId{4711}, 32}));
}

TEST_F(KeyStateTest, after_a_crash_no_number_is_used_twice)
{
    {
        auto file = open();
        for (std::uint64_t next = 32; next < 100'000; next += 32) {
            ASSERT_TRUE(file.reserve(ChunkId{next}, 32));
            EXPECT_GE(file.state().next, ChunkId{next});
        }
    } // the program dies here
    auto const state = open().state();
    EXPECT_GE(state.next, ChunkId{99'968});
    EXPECT_EQ(state.chunks_per_unit, 32U);
}

TEST_F(KeyStateTest, one_broadcaster_per_key)
{
    auto const first = open();
    EXPECT_NE(error().find("another ppsp-broadcast"), std::string::npos);
}

TEST_F(KeyStateTest, damage_is_not_guessed_away)
{
    for (char const* text :
         {"", "x", "next_chunk 5", "next_chunk 5\nchunks_per_unit 9\n",
          "next_chunk x\nchunks_per_unit 8\n", "chunks_per_unit 8\nnext_chunk 5\n"}) {
        write_state(text);
        EXPECT_NE(error().find("is damaged"), std::string::npos) << text;
    }
    write_state("next_chunk 4294967295\nchunks_per_unit 8\n");
    EXPECT_NE(error().find("used up"), std::string::npos);
}

TEST_F(KeyStateTest, a_folder_that_takes_no_files_is_reported)
{
    auto file = open();
    std::filesystem::remove_all(folder);
    auto const reserved = file.reserve(ChunkId{1}, 8);
    ASSERT_FALSE(reserved);
    EXPECT_NE(reserved.error().find("cannot write"), std::string::npos) << reserved.error();
}

} // namespace
} // namespace ppsp::peer
