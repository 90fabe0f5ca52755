#include "peer/shell/channel_file.hpp"

#include "protocol/base/rng.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace ppsp::peer {
namespace {

class ChannelFileTest : public testing::Test {
protected:
    ChannelFileTest()
    {
        file.title = "Evening news \"live\" \u00e4\u4e2d";
        file.link.swarm = signer->swarm_id();
        file.link.trackers = {{*parse_tracker_url("http://a:1"), *parse_tracker_url("https://b:2")},
                              {*parse_tracker_url("http://[::1]:3")}};
        file.link.caches = {"http://cache:7069"};
        file.link.cdn = {"https://cdn/x"};
        file.chunks_per_signature = 32;
        file.renditions = {{"720p", signer->swarm_id(), 2500}};
        file.created = 1'780'000'000;
    }

    ChannelFileError error_of(std::string const& text)
    {
        auto const result = parse_channel_file(text, checker);
        EXPECT_FALSE(result) << text;
        return result ? ChannelFileError::cannot_read : result.error();
    }

    /// Changes the text of a file and signs nothing.
    static std::string replaced(std::string text, std::string const& from, std::string const& to)
    {
        auto const at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return text.replace(at, from.size(), to);
    }

    std::unique_ptr<integrity::Signer> signer =
        integrity::make_signer(*integrity::PrivateKey::generate());
    integrity::OpensslChecker checker;
    ChannelFile file;
};

TEST_F(ChannelFileTest, reads_back_what_was_written)
{
    auto const back = parse_channel_file(to_json(file, *signer), checker);
    ASSERT_TRUE(back) << sentence(back.error());
    EXPECT_EQ(*back, file);
}

TEST_F(ChannelFileTest, order_and_white_space_do_not_matter_to_the_signature)
{
    std::string text = to_json(file, *signer);
    auto const title_end = text.find(",\"swarm\"");
    std::string const title = text.substr(1, title_end - 1);
    text = "{ " + text.substr(title_end + 1, text.size() - title_end - 3) + " ,\n " + title + "}";
    auto const back = parse_channel_file(text, checker);
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(back->title, file.title);
}

TEST_F(ChannelFileTest, every_change_breaks_the_signature)
{
    std::string const text = to_json(file, *signer);
    EXPECT_EQ(error_of(replaced(text, "http://a:1", "http://evil:1")),
              ChannelFileError::bad_signature);
    EXPECT_EQ(error_of(replaced(text, "Evening", "Morning")), ChannelFileError::bad_signature);
    EXPECT_EQ(error_of(replaced(text, "{\"title\"", "{\"extra\":1,\"title\"")),
              ChannelFileError::bad_signature);
    EXPECT_EQ(error_of(replaced(text, "\"signature\":\"", "\"signature\":\"00")),
              ChannelFileError::bad_signature);
    auto const other = integrity::make_signer(*integrity::PrivateKey::generate());
    EXPECT_EQ(error_of(to_json(file, *other)), ChannelFileError::bad_signature);
}

TEST_F(ChannelFileTest, says_what_is_wrong)
{
    EXPECT_EQ(error_of(""), ChannelFileError::not_json);
    EXPECT_EQ(error_of("[1]"), ChannelFileError::not_json);
    EXPECT_EQ(error_of("{\"x\":0.5}"), ChannelFileError::not_json);
    EXPECT_EQ(error_of("{}"), ChannelFileError::missing_member);
    EXPECT_EQ(error_of("{\"swarm\":\"0d\",\"signature\":\"00\"}"), ChannelFileError::bad_swarm);
    EXPECT_EQ(error_of(std::string(channel_file_size_max + 1, ' ')), ChannelFileError::too_large);
}

TEST_F(ChannelFileTest, also_what_was_signed_is_checked)
{
    file.link.caches = {"ftp://cache"};
    EXPECT_EQ(error_of(to_json(file, *signer)), ChannelFileError::bad_url);
    file.link.caches.clear();
    file.chunk_size = 1'000'000;
    EXPECT_EQ(error_of(to_json(file, *signer)), ChannelFileError::bad_number);
    file.chunk_size = 1024;
    file.renditions[0].swarm = {1, 2, 3};
    EXPECT_EQ(error_of(to_json(file, *signer)), ChannelFileError::bad_rendition);
    file.renditions.clear();
    file.link.trackers[0][0].at.host = "no host";
    EXPECT_EQ(error_of(to_json(file, *signer)), ChannelFileError::bad_tracker);
}

TEST_F(ChannelFileTest, garbage_never_passes)
{
    std::string const text = to_json(file, *signer);
    Rng rng{7};
    for (int round = 0; round < 2'000; ++round) {
        std::string changed = text;
        changed[rng.below(changed.size())] ^= static_cast<char>(1 + rng.below(255));
        auto const result = parse_channel_file(changed, checker);
        if (result) { // white space and the case of hex digits are free
            EXPECT_EQ(*result, file);
        }
    }
}

TEST_F(ChannelFileTest, files_are_accepted_wherever_a_link_is)
{
    auto const path = testing::TempDir() + "shell_channel_file_test.ppsp";
    std::ofstream(path) << to_json(file, *signer);
    auto const link = find_channel(path, checker);
    ASSERT_TRUE(link) << link.error();
    EXPECT_EQ(link->swarm, file.link.swarm);
    EXPECT_EQ(link->trackers.size(), 2U);
    std::remove(path.c_str());

    auto const missing = find_channel(path, checker);
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().find("cannot be read"), std::string::npos) << missing.error();
    EXPECT_FALSE(find_channel("movie.mp4", checker));
    EXPECT_TRUE(find_channel(format_link(file.link), checker));
}

TEST_F(ChannelFileTest, a_file_without_tracker_is_of_no_use)
{
    file.link.trackers.clear();
    auto const path = testing::TempDir() + "shell_channel_file_alone_test.ppsp";
    std::ofstream(path) << to_json(file, *signer);
    EXPECT_FALSE(find_channel(path, checker));
    std::remove(path.c_str());
}

TEST(ChannelFileErrors, every_error_has_its_own_sentence)
{
    std::set<std::string_view> sentences;
    for (int i = 0; i <= static_cast<int>(ChannelFileError::bad_signature); ++i) {
        EXPECT_TRUE(sentences.insert(sentence(static_cast<ChannelFileError>(i))).second);
    }
}

} // namespace
} // namespace ppsp::peer
