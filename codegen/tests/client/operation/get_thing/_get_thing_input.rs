pub struct GetThingInput { pub next_token: ::std::option::Option<::std::string::String> }
