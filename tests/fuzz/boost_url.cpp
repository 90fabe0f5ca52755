/// Boost.URL compiled here, under the sanitizers: in the shared library a read past the end of the
/// text is seen only when it leaves the page. Without its assertions, as in the shared library:
/// version 1.81 asserts on "a:\\" and then refuses it (boostorg/url issue 665).
#define BOOST_DISABLE_ASSERTS
#include <boost/url/src.hpp>
