pub struct ListThingsFluentBuilder {}
