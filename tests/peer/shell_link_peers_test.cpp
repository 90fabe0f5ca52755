#include "peer/shell/link_peers.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace ppsp::peer {
namespace {

TEST(LinkPeersTest, what_a_link_names_are_candidates_and_no_answer)
{
    boost::asio::io_context context;
    std::vector<CandidatesFound> found;
    LinkPeers peers{context, SwarmId{}, {HostPort{"127.0.0.1", 4000}}, [&](Input const& input) {
                        found.push_back(std::get<CandidatesFound>(input));
                    }};
    peers.find();
    context.run_for(std::chrono::seconds{5});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].endpoints, std::vector{*Endpoint::parse("127.0.0.1:4000")});
    EXPECT_FALSE(found[0].is_answer) << "they may be gone, and a tracker silent";
}

} // namespace
} // namespace ppsp::peer
