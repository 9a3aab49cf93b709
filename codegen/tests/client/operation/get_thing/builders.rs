pub struct GetThingFluentBuilder {}
